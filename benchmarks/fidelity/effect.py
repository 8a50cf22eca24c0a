"""A known effect: ResNet-50 with a delay behind it of 0, 3, 5, 10 and 20 %. Is it found?

The delay is a loop in the ONNX file; what a turn costs is timed beforehand, outside of Assay.
"""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.fidelity.results import Trial
from benchmarks.fidelity.subjects import converted, with_loop
from benchmarks.fidelity.trials import STANDARD, measured
from engine import processor
from engine.bench.model import Measurement
from engine.bench.stats import adjusted
from engine.bench.verdicts import delta_of, ratio_of
from engine.onnxfile import file_of
from engine.types import Artifact

PROOF = "A delay of known size: how often found, and the mean error of its estimate"
WANTED = "0 % not found; 5 % and more found; no bias to speak of"
TRIALS = 10
SIZES = (0, 3, 5, 10, 20)
_BARE = Path(__file__).with_name("bare_loop.py")
_MANY = 20_000


def trial(number: int, home: Path) -> Trial:
    """One measurement of the standard preset: the model, and the model with every delay."""
    artifact = converted("resnet50", "onnx")
    base, turn = _paces(artifact, home)
    artifacts = {"base": replace(with_loop(artifact, 0, home), id="base")}
    for size in SIZES:
        turns = round(size / 100 * base / turn)
        artifacts[f"plus-{size}"] = replace(with_loop(artifact, turns, home), id=f"plus-{size}")
    found = measured(artifacts, replace(STANDARD, checkpoints=()), seed=200 + number)
    for made in artifacts.values():
        made.path.unlink()
    return {"base_ns": base, "turn_ns": turn, "found": _found(found)}


def _paces(artifact: Artifact, home: Path) -> tuple[float, float]:
    """What an inference and a turn of the loop take in ns: bare, in turns, in fresh processes."""
    without, many = with_loop(artifact, 0, home), with_loop(artifact, _MANY, home)
    bases, turns = [], []
    for _ in range(5):
        one, other = bare_median(without), bare_median(many)
        bases.append(one)
        turns.append((other - one) / _MANY)
    without.path.unlink()
    many.path.unlink()
    return statistics.median(bases), statistics.median(turns)


def bare_median(artifact: Artifact) -> float:
    """The median of a bare loop over ONNX Runtime, in ns."""
    command = [sys.executable, str(_BARE), str(file_of(artifact.path))]
    done = subprocess.run(
        [*command, str(processor.worker_threads())], check=True, capture_output=True
    )
    return float(json.loads(done.stdout)["median_ns"])


def _found(measurement: Measurement) -> dict[str, list[float | str]]:
    """For every size the slowdown in %, and the verdict, judged together."""
    delta = delta_of(measurement)
    ratios = [ratio_of(measurement.blocks, "base", f"plus-{s}", delta=delta) for s in SIZES]
    known = [ratio for ratio in ratios if ratio is not None]
    return {
        str(size): [100 * (1 / ratio.value - 1), ratio.verdict]
        for size, ratio in zip(SIZES, adjusted(known), strict=True)
    }


def summary(trials: list[Trial]) -> str:
    """Detection and bias of every size."""
    if not trials:
        return "not run yet"
    parts = []
    for size in SIZES:
        own = [one["found"][str(size)] for one in trials]
        slower = sum(verdict == "slower" for _, verdict in own)
        errors = [value - size for value, _ in own]
        spread = statistics.stdev(errors) / math.sqrt(len(errors)) if len(errors) > 1 else math.nan
        parts.append(
            f"{size} %: {slower} of {len(own)}, "
            f"{statistics.mean(errors):+.2f} ± {spread:.2f} points"
        )
    return "; ".join(parts)
