"""What holding a worker costs: its start at every tier, and the latency of a model inside it.

Tier C, limits alone, is what the others are held against; all are run in turn.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

STARTS = 25
BLOCKS = 80
_numbers = count()


def main() -> None:
    """Medians over interleaved runs, and their differences to tier C."""
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(ASSAY_DATA=f"{home}/data", ASSAY_LOCK_DIR=home)
        from engine.jobs.isolation import tiers

        here = [tier for tier in tiers.Tier if tiers.sandbox(tier).tier]
        print(f"tiers that work here: {', '.join(here)}")
        _compare("a worker without a task", here, STARTS, lambda: _started(Path(home)))
        request = _block(home)
        _compare("p50 of ResNet-50, ONNX", here, BLOCKS, lambda: _p50(Path(home), request))


def _compare(what: str, here: list[Any], repeats: int, measure: Callable[[], float]) -> None:
    """Every tier in turn, ``repeats`` times; ``measure`` gives milliseconds."""
    from engine.bench import stats
    from engine.settings import settings

    found: dict[str, list[float]] = {tier: [] for tier in here}
    for index in range(repeats + 1):
        for tier in here[index % len(here) :] + here[: index % len(here)]:
            os.environ["ASSAY_SANDBOX"] = tier
            settings.cache_clear()
            value = measure()
            if index:  # the first finds the disk's pages cold
                found[tier].append(value)
    alone = found["C"]
    for tier, values in found.items():
        more = [value - other for value, other in zip(values, alone, strict=True)]
        low, middle, high = statistics.quantiles(values, n=4)
        print(
            f"{what}, tier {tier}: {middle:.3f} ms (quartiles {low:.3f} to {high:.3f}; "
            f"to tier C, pair by pair, {statistics.median(more):+.3f} ms; {repeats} runs)"
        )
        if tier != "C" and (ratio := stats.ratio(alone, values)) is not None:
            print(
                f"  tier C over tier {tier}: {ratio.value:.3f}x "
                f"[{ratio.low:.3f}, {ratio.high:.3f}], {ratio.verdict}"
            )


def _run(home: Path, name: str, request: dict[str, Any]) -> dict[str, Any]:
    from engine.jobs.protocol import Task
    from engine.jobs.run import run_task

    folder = home / f"task-{next(_numbers)}"
    threads = {"OMP_NUM_THREADS": "1"}
    task = Task(name, name, request, environment=threads)
    return run_task(task, folder, lambda: False, lambda event: None)


def _started(home: Path) -> float:
    """Milliseconds until a worker has found that there is no such task, and has ended."""
    from engine.errors import BadRequest

    started = time.perf_counter()
    with suppress(BadRequest):
        _run(home, "nothing", {})
    return (time.perf_counter() - started) * 1e3


def _p50(home: Path, request: dict[str, Any]) -> float:
    block = _run(home, "block", request)["block"]
    return statistics.median(block["samples_ns"]) / 1e6


def _block(home: str) -> dict[str, Any]:
    """The request for one block of ResNet-50 as ONNX, batch 1, one thread."""
    from engine import pipeline, store
    from engine.bench.plan import PRESETS
    from engine.jobs.steps import DirectSteps
    from engine.records import dump
    from engine.types import Target

    def ignore(steps: object, partial: object) -> None:
        """Nobody watches."""

    asked = pipeline.ImportRequest("sample", "resnet50")
    model_id = pipeline.import_model(DirectSteps("import", ignore), asked)["model_id"]
    convert = pipeline.ConvertRequest(model_id, (Target("onnx"),))
    made = pipeline.convert(DirectSteps("convert", ignore), convert)["artifacts"]
    artifact, _ = store.artifacts.load(made[0])
    return {
        "variant": "onnx",
        "label": "ONNX",
        "artifact": dump(artifact),
        "signature": dump(artifact.signature),
        "batch": 1,
        "threads": 1,
        "pinned": True,
        "seed": 1,
        "preset": dump(PRESETS["quick"]),
        "round": 0,
    }
