"""What holding a worker costs: its start at every tier, and the latency of a model inside it.

Tier C, limits alone, is what the others are held against; all are run in turn.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

from benchmarks.fidelity.results import Trial
from benchmarks.fidelity.subjects import converted
from engine.bench import paired, stats
from engine.bench.plan import PRESETS
from engine.errors import BadRequest
from engine.jobs.isolation import tiers
from engine.jobs.protocol import Task
from engine.jobs.run import run_task
from engine.records import dump
from engine.settings import settings

PROOF = "A sandboxed worker (A, B) beside one with limits alone (C): ResNet-50 on one thread"
WANTED = "a start at most 15 ms longer; latency equivalent, within 3 %"
TRIALS = 240
"""Of which 80 told latencies apart down to 4 % on a machine whose pace jumps."""


def trial(number: int, home: Path) -> Trial:
    """A worker that starts and ends, and a block of the quick preset, at every tier. In ms."""
    order = _warm(home)
    turn = number % len(order)
    return {tier: _at(tier, home) for tier in order[turn:] + order[:turn]}


def summary(trials: list[Trial]) -> str:
    """How much longer a start takes, pair by pair, and what becomes of the median."""
    if len(trials) < 2:
        return "not run yet"
    return "; ".join(_against_c(tier, trials) for tier in ("A", "B") if tier in trials[0])


def _against_c(tier: str, trials: list[Trial]) -> str:
    later = [one[tier]["start"] - one["C"]["start"] for one in trials]
    low, high = paired.interval(later, stats.LEVEL)
    found = stats.ratio([one["C"]["p50"] for one in trials], [one[tier]["p50"] for one in trials])
    assert found is not None
    return (
        f"{tier}: a start {paired.middle(later):+.1f} ms [{low:+.1f}, {high:+.1f}]; "
        f"p50 of C over {tier} {found.value:.3f}× "
        f"[{found.low:.3f}, {found.high:.3f}], {found.verdict}"
    )


@cache
def _warm(home: Path) -> list[str]:
    """The tiers that work here, each run once: the first finds the disk's pages cold."""
    here = [str(tier) for tier in tiers.Tier if tiers.sandbox(tier).tier]
    for tier in here:
        _at(tier, home)
    return here


def _at(tier: str, home: Path) -> dict[str, float]:
    with _held(tier):
        started = time.perf_counter()
        with suppress(BadRequest):  # there is no such task: the worker says so and ends
            _run(home, "nothing", {})
        took = (time.perf_counter() - started) * 1e3
        block = _run(home, "block", _request())["block"]
    return {"start": took, "p50": median(block["samples_ns"]) / 1e6}


@contextmanager
def _held(tier: str) -> Iterator[None]:
    with mock.patch.dict(os.environ, ASSAY_SANDBOX=tier):
        settings.cache_clear()
        try:
            yield
        finally:
            settings.cache_clear()


def _run(home: Path, name: str, request: Mapping[str, Any]) -> dict[str, Any]:
    folder = home / f"task-{secrets.token_hex(6)}"
    task = Task(name, name, request, environment={"OMP_NUM_THREADS": "1"})
    return run_task(task, folder, lambda: False, lambda event: None)


def _request() -> dict[str, Any]:
    """One block of ResNet-50 as ONNX, batch 1, one thread, on one CPU."""
    artifact = converted("resnet50", "onnx")
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
