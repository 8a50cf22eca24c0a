"""Against pyperf on the same work, under light noise: how far do ten repetitions lie apart?

pyperf times the same call of ONNX Runtime in its own worker processes.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks.fidelity.results import Trial
from benchmarks.fidelity.subjects import converted
from benchmarks.fidelity.trials import STANDARD, light_noise, measured, shuffled
from engine import processor
from engine.onnxfile import file_of
from engine.types import Artifact

PROOF = "Spread of the median of ResNet-50 over 10 repetitions under light noise, beside pyperf's"
WANTED = "ours no wider than theirs"
TRIALS = 10
_PYPERF = Path(__file__).with_name("pyperf_call.py")


def trial(number: int, home: Path) -> Trial:
    """One repetition of both in an order of chance. Nanoseconds."""
    onnx = converted("resnet50", "onnx")
    return in_turn(
        {"ours": lambda: by_assay(onnx, number), "theirs": lambda: _pyperf(onnx, home)}, number
    )


def in_turn(ways: Mapping[str, Callable[[], float]], number: int) -> Trial:
    """What each way says, under light noise, in an order of chance."""
    found: Trial = {}
    for name in shuffled(tuple(ways), 500 + number):
        with light_noise():
            found[name] = ways[name]()
    return found


def by_assay(artifact: Artifact, number: int) -> float:
    """The median that Assay reports, in ns."""
    preset = replace(STANDARD, memory_passes=0, gate_tries=0)
    found = measured({"one": replace(artifact, id="one")}, preset, seed=500 + number)
    return statistics.median(
        [sample for b in found.blocks if not b.discarded for sample in b.samples_ns]
    )


def _pyperf(artifact: Artifact, home: Path) -> float:
    """The median that pyperf reports, with its own defaults."""
    out = home / "pyperf.json"
    out.unlink(missing_ok=True)
    command = [sys.executable, str(_PYPERF), "-q", "-o", str(out)]
    command += ["--inherit-environ", "ASSAY_FIDELITY_MODEL,ASSAY_FIDELITY_THREADS"]
    told = {
        "ASSAY_FIDELITY_MODEL": str(file_of(artifact.path)),
        "ASSAY_FIDELITY_THREADS": str(processor.worker_threads()),
    }
    subprocess.run(command, check=True, env=told, stdout=subprocess.DEVNULL)
    import pyperf

    return float(pyperf.Benchmark.load(str(out)).median()) * 1e9


def summary(trials: list[Trial]) -> str:
    """The coefficient of variation of each, and how they stand to each other."""
    if len(trials) < 2:
        return "not run yet"
    ours, theirs = (_spread([one[name] for one in trials]) for name in ("ours", "theirs"))
    low, high = _apart(ours / theirs, len(trials))
    return (
        f"ours {100 * ours:.1f} %, theirs {100 * theirs:.1f} %: "
        f"{ours / theirs:.2f}× [{low:.2f}, {high:.2f}]"
    )


def _apart(ratio: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a ratio of two spreads of so many values each (Fisher's F)."""
    from scipy.stats import f

    factor = float(f.ppf(0.975, count - 1, count - 1)) ** 0.5
    return ratio / factor, ratio * factor


def _spread(values: list[float]) -> float:
    return statistics.stdev(values) / statistics.mean(values)
