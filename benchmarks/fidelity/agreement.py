"""Agreement: ResNet-50 in ONNX Runtime by Assay, by a bare loop, and by the runtime's profiler."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median

from benchmarks.fidelity.effect import bare_median
from benchmarks.fidelity.results import Trial
from benchmarks.fidelity.subjects import converted
from benchmarks.fidelity.trials import ONE_BLOCK, measured, shuffled
from engine import processor
from engine.bench.paired import interval, middle
from engine.onnxfile import file_of
from engine.types import Artifact

PROOF = "ONNX Runtime's median of ResNet-50: Assay against others, interleaved"
WANTED = "within 3 %"
TRIALS = 12
_BARE = Path(__file__).with_name("bare_loop.py")


def trial(number: int, home: Path) -> Trial:
    """One process of each in an order of chance. Nanoseconds."""
    artifact = converted("resnet50", "onnx")
    found: Trial = {}
    for name in shuffled(("assay", "bare", "profiler"), 300 + number):
        if name == "assay":
            block = measured({"one": replace(artifact, id="one")}, ONE_BLOCK, seed=1).blocks[0]
            found[name] = median(block.samples_ns)
        elif name == "bare":
            found[name] = bare_median(artifact)
        else:
            found |= _profiled(artifact, home)
    return found


def _profiled(artifact: Artifact, home: Path) -> Trial:
    """What the profiler says of a loop, and what that loop said of itself: watching costs time."""
    prefix = str(home / "profile")
    threads = str(processor.worker_threads())
    done = subprocess.run(
        [sys.executable, str(_BARE), str(file_of(artifact.path)), threads, prefix],
        check=True,
        capture_output=True,
    )
    said = json.loads(done.stdout)
    return {"profiler": said["profiler_ns"], "while_profiled": said["median_ns"]}


def summary(trials: list[Trial]) -> str:
    """Both ratios with their intervals over the rounds."""
    if len(trials) < 2:
        return "not run yet"
    parts = []
    for name, words in (("bare", "a bare loop"), ("profiler", "its own profiler")):
        logs = [math.log(one["assay"] / one[name]) for one in trials]
        low, high = interval(logs, 0.95)
        parts.append(
            f"{words} {math.exp(middle(logs)):.3f}× [{math.exp(low):.3f}, {math.exp(high):.3f}]"
        )
    return f"Assay's median over that of {'; over that of '.join(parts)}"
