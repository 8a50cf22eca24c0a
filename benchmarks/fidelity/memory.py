"""Memory: a model of known weights, and 200 MiB more of them. Does Assay see them?

Once in one matrix, and once in 800: small ones lie in the C library's heap, which does not give
everything back.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import median

from benchmarks.fidelity.results import Trial
from benchmarks.fidelity.subjects import MIB, of_weights
from benchmarks.fidelity.trials import STANDARD, measured
from engine.bench.model import Measurement
from engine.bench.split import parts_of

PROOF = "Memory of known weights, and of 200 MiB more"
WANTED = "weights within 5 %, the difference within 2 %"
TRIALS = 3
_SMALL, _MORE, _PIECES = 200, 200, 800


def trial(number: int, home: Path) -> Trial:
    """The memory passes of a measurement of two models that differ in their weights alone. MiB."""
    preset = replace(
        STANDARD, rounds=2, spare_rounds=0, checkpoints=(), gate_tries=0, measure_s=0.1
    )
    artifacts = {
        name: replace(of_weights(mib, home, pieces), id=name)
        for name, (mib, pieces) in _subjects().items()
    }
    found = measured(artifacts, preset, seed=400 + number)
    return {name: _weights(found, name) for name in artifacts}


def _subjects() -> dict[str, tuple[int, int]]:
    """By name, how many MiB in how many matrices."""
    sizes = (_SMALL, _SMALL + _MORE)
    return {f"{mib} in {pieces}": (mib, pieces) for pieces in (1, _PIECES) for mib in sizes}


def _weights(found: Measurement, name: str) -> float:
    """The weights as a report shows them: measured, not read from the file. MiB."""
    own = [parts_of(weighed) for weighed in found.memory if weighed.variant == name]
    return median(parts.weights / MIB for parts in own if parts is not None)


def summary(trials: list[Trial]) -> str:
    """The worst trial of each."""
    if not trials:
        return "not run yet"
    weights = [one[name] / mib - 1 for one in trials for name, (mib, _) in _subjects().items()]
    more = [
        (one[f"{_SMALL + _MORE} in {pieces}"] - one[f"{_SMALL} in {pieces}"]) / _MORE - 1
        for one in trials
        for pieces in (1, _PIECES)
    ]
    return (
        f"{_SMALL} and {_SMALL + _MORE} MiB of weights, in one matrix and in {_PIECES}, seen as "
        f"{100 * max(weights, key=abs):+.1f} % at worst; "
        f"{_MORE} MiB more as {100 * max(more, key=abs):+.2f} %"
    )
