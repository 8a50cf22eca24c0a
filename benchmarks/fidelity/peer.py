"""Against peers on the same work, under light noise: how far do ten repetitions lie apart?

pyperf times the same call of ONNX Runtime in its own worker processes; llama-cpp-python says itself
what reading a prompt took.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.fidelity.results import Trial
from benchmarks.fidelity.subjects import converted
from benchmarks.fidelity.trials import STANDARD, light_noise, measured, shuffled
from engine import processor
from engine.onnxfile import file_of
from engine.types import Artifact

PROOF = "Spread of the reported median over 10 repetitions under light noise"
WANTED = "ours no wider than theirs"
TRIALS = 10
_PYPERF = Path(__file__).with_name("pyperf_call.py")
_LLAMA = Path(__file__).with_name("llama_own.py")
_PAIRS = {
    "ResNet-50 in ONNX Runtime": ("assay-onnx", "pyperf"),
    "small Llama, GGUF": ("assay-llama", "llama.cpp"),
}


def trial(number: int, home: Path) -> Trial:
    """One repetition of all four in an order of chance. Nanoseconds."""
    onnx, gguf = converted("resnet50", "onnx"), converted("llama", "gguf", "Q8_0")
    ways: dict[str, Callable[[], float]] = {
        "assay-onnx": lambda: _assay(onnx, number),
        "pyperf": lambda: _pyperf(onnx, home),
        "assay-llama": lambda: _assay(gguf, number),
        "llama.cpp": lambda: _llama(gguf),
    }
    found: Trial = {}
    for name in shuffled(tuple(ways), 500 + number):
        with light_noise():
            found[name] = ways[name]()
    return found


def _assay(artifact: Artifact, number: int) -> float:
    """The median that Assay reports."""
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


def _llama(artifact: Artifact) -> float:
    """What llama-cpp-python says that reading a prompt takes: the median of its own timings."""
    command = [sys.executable, str(_LLAMA), str(artifact.path), str(processor.worker_threads())]
    done = subprocess.run(command, check=True, capture_output=True)
    return float(json.loads(done.stdout.splitlines()[-1])["median_ns"])


def summary(trials: list[Trial]) -> str:
    """The coefficient of variation of each, and how they stand to each other."""
    if len(trials) < 2:
        return "not run yet"
    parts = []
    for words, (ours, theirs) in _PAIRS.items():
        own, other = (_spread([one[name] for one in trials]) for name in (ours, theirs))
        low, high = _apart(own / other, len(trials))
        parts.append(
            f"{words}: ours {100 * own:.1f} %, {theirs} {100 * other:.1f} %, "
            f"ours over theirs {own / other:.2f}× [{low:.2f}, {high:.2f}]"
        )
    return "; ".join(parts)


def _apart(ratio: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a ratio of two spreads of so many values each (Fisher's F)."""
    from scipy.stats import f

    factor = float(f.ppf(0.975, count - 1, count - 1)) ** 0.5
    return ratio / factor, ratio * factor


def _spread(values: list[float]) -> float:
    return statistics.stdev(values) / statistics.mean(values)
