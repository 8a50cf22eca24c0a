"""Memory: a model of known weights, and 200 MiB more of them. Does Assay see them?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import median

from benchmarks.fidelity.results import Trial
from benchmarks.fidelity.subjects import MIB, of_weights
from benchmarks.fidelity.trials import STANDARD, measured
from engine.bench.model import Measurement

PROOF = "Memory of known weights, and of 200 MiB more"
WANTED = "weights within 5 %, the difference within 2 %"
TRIALS = 3
_SMALL, _MORE = 200, 200


def trial(number: int, home: Path) -> Trial:
    """The memory passes of a measurement of two models that differ in their weights alone. MiB."""
    preset = replace(
        STANDARD, rounds=2, spare_rounds=0, checkpoints=(), gate_tries=0, measure_s=0.1
    )
    artifacts = {
        str(mib): replace(of_weights(mib, home), id=str(mib)) for mib in (_SMALL, _SMALL + _MORE)
    }
    found = measured(artifacts, preset, seed=400 + number)
    return {name: _held(found, name) for name in artifacts}


def _held(found: Measurement, name: str) -> float:
    """What is resident while it runs, above the import of the framework, in MiB."""
    own = [weighed for weighed in found.memory if weighed.variant == name]
    return median(
        (one.resident_anon_bytes + one.resident_file_bytes - one.baseline_bytes) / MIB
        for one in own
    )


def summary(trials: list[Trial]) -> str:
    """The worst trial of each."""
    if not trials:
        return "not run yet"
    weights = max((one[str(_SMALL)] / _SMALL - 1 for one in trials), key=abs)
    more = [(one[str(_SMALL + _MORE)] - one[str(_SMALL)]) / _MORE - 1 for one in trials]
    return (
        f"{_SMALL} MiB of weights seen as {100 * weights:+.1f} % at worst; "
        f"{_MORE} MiB more as {100 * max(more, key=abs):+.2f} %"
    )
