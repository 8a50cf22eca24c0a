"""A known effect: ResNet-50 with a delay behind it of 0, 3, 5, 10 and 20 %. Is it found?

The delay is a loop in the ONNX file. Before every trial its turns are fitted outside of Assay, on a
model of some microseconds; what the fitted loop then takes is the effect that is to be found. Model
and loop are timed three times and the least median counts: a pace that jumps seldom spoils all.
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
TRIALS = 6
SIZES = (0, 3, 5, 10, 20)
_BARE = Path(__file__).with_name("bare_loop.py")
_REPEATS = 3
_FITS, _NEAR = 3, 0.03
_TURN_NS = 700.0
"""A first guess; the fitting makes it right."""

_fitting: dict[int, int] = {}
"""The turns of every size that the last trial came to: the next begins there."""


def trial(number: int, home: Path) -> Trial:
    """One measurement of the standard preset: the model, and the model with every delay."""
    artifact = converted("resnet50", "onnx")
    without = with_loop(artifact, 0, home)
    base = bare_median(without)
    artifacts = {"base": replace(without, id="base")}
    known: dict[str, float] = {}
    small = _with_turns(0, home)
    for size in SIZES:
        turns, delay = _fitted(size, base * size / 100, small, home)
        known[str(size)] = 100 * delay / base
        artifacts[f"plus-{size}"] = replace(with_loop(artifact, turns, home), id=f"plus-{size}")
    found = measured(
        artifacts, replace(STANDARD, checkpoints=(), memory_passes=0), seed=200 + number
    )
    for made in artifacts.values():
        made.path.unlink()
    return {"base_ns": base, "known": known, "found": _found(found)}


def _fitted(size: int, wanted_ns: float, small_ns: float, home: Path) -> tuple[int, float]:
    """Turns of the loop that take about so long, and how long they do take, in ns.

    A turn costs more where there are many, so that they are not to be had by a rule of three.
    ``small_ns`` is what the model that carries the loop takes without it: next to nothing.
    """
    if size == 0:
        return 0, 0.0
    turns = _fitting.get(size) or max(1, round(wanted_ns / _TURN_NS))
    took = _with_turns(turns, home) - small_ns
    for _ in range(_FITS):
        if abs(took / wanted_ns - 1) < _NEAR:
            break
        turns = max(1, round(turns * wanted_ns / took))
        took = _with_turns(turns, home) - small_ns
    _fitting[size] = turns
    return turns, took


def _with_turns(turns: int, home: Path) -> float:
    """The median in ns of a model of some microseconds with the loop behind it."""
    made = with_loop(converted("digits", "onnx"), turns, home)
    try:
        return bare_median(made)
    finally:
        made.path.unlink()


def bare_median(artifact: Artifact) -> float:
    """The median of a bare loop over ONNX Runtime, in ns: the least of some runs."""
    command = [sys.executable, str(_BARE), str(file_of(artifact.path))]
    command.append(str(processor.worker_threads()))
    runs = [subprocess.run(command, check=True, capture_output=True) for _ in range(_REPEATS)]
    return min(float(json.loads(run.stdout)["median_ns"]) for run in runs)


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
        faster = sum(verdict == "faster" for _, verdict in own)
        wrong = f", {faster} called faster" if faster else ""
        errors = [one["found"][str(size)][0] - one["known"][str(size)] for one in trials]
        spread = statistics.stdev(errors) / math.sqrt(len(errors)) if len(errors) > 1 else math.nan
        parts.append(
            f"{size} %: {slower} of {len(own)}{wrong}, "
            f"{statistics.mean(errors):+.2f} points (standard error {spread:.2f})"
        )
    return "; ".join(parts)
