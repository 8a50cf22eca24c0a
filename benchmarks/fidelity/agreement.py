"""Agreement: ResNet-50 in ONNX Runtime by Assay, by a bare loop, and by the runtime's profiler.

They take turns of a second's part in one process: whole processes, one after another, lie further
apart on a shared machine than the methods do.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

from benchmarks.fidelity.results import Trial
from benchmarks.fidelity.subjects import converted
from engine import processor
from engine.bench.paired import interval, middle
from engine.records import dump

PROOF = "ONNX Runtime's median of ResNet-50: Assay against others, in turns"
WANTED = "within 3 %"
TRIALS = 12
_TURNS = Path(__file__).with_name("turns.py")
_PAIRS = (
    ("Assay's median over that of a bare loop", "assay", "bare"),
    ("its clock over the runtime's own profiler, of the same calls,", "watched", "profiler"),
)


def trial(number: int, home: Path) -> Trial:
    """One process: the median of every turn of each, in nanoseconds."""
    asked = home / "agreement.json"
    artifact = dump(converted("resnet50", "onnx"))
    threads = processor.worker_threads()
    asked.write_text(
        json.dumps({"artifact": artifact, "threads": threads, "seed": 300 + number}, default=str)
    )
    done = subprocess.run(
        [sys.executable, str(_TURNS), str(asked)], check=True, capture_output=True
    )
    found: Trial = json.loads(done.stdout.splitlines()[-1])
    return found


def summary(trials: list[Trial]) -> str:
    """Both ratios: of the turns of a process its middle, of the processes the interval."""
    if len(trials) < 2:
        return "not run yet"
    parts = []
    for words, own, other in _PAIRS:
        logs = [_apart(one[own], one[other]) for one in trials]
        ratio, least, most = (math.exp(log) for log in (middle(logs), *interval(logs, 0.95)))
        parts.append(f"{words} {ratio:.3f}× [{least:.3f}, {most:.3f}]")
    return "; ".join(parts)


def _apart(own: list[float], others: list[float]) -> float:
    """The log of the ratio, as the middle of a process's turns."""
    return middle([math.log(one / other) for one, other in zip(own, others, strict=True)])
