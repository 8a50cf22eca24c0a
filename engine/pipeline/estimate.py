"""What a grid of targets will take, before it is started: steps, time and disk."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine import changes, store
from engine.errors import EngineError
from engine.jobs.protocol import JobState
from engine.pipeline.converting import way
from engine.types import Model, Target

_FIXED_S, _PER_GIB_S = 4.0, 60.0
"""A step nobody has run here yet: what starting a worker and going once through the weights took
on two cores."""
_KEPT = {"float16": 0.55, "bfloat16": 0.55, "int8": 0.3, "int8 calibrated": 0.3, "int4": 0.2}
"""The share of a file that a precision leaves, names and scales counted in."""
_VERIFY, _ORIGINAL = "Verify", "Run the original"


@dataclass(frozen=True, slots=True)
class Estimate:
    """``seconds`` on this machine; ``known`` of the ``steps`` were run here before.

    ``disk_bytes`` counts every artifact on the way: they are kept.
    """

    steps: int
    known: int
    seconds: float
    disk_bytes: int


def estimate(model: Model, targets: Sequence[Target]) -> Estimate:
    """By what the same steps took here: on this model, else on others, scaled by their size.

    Targets that cannot be made count for nothing: their reasons are told elsewhere.
    """
    steps: dict[str, str] = {}
    disk = 0
    for target in targets:
        try:
            steps |= (found := _steps(model, target))
        except EngineError:
            continue
        disk += _disk(model, target, len(found))
    past = _past(model)
    size = model.artifact.size_bytes
    typical = _FIXED_S + _PER_GIB_S * size / 1024**3
    seconds = [past.get(kind, typical) for kind in steps.values()]
    known = sum(kind in past for kind in steps.values())
    return Estimate(len(steps), known, sum(seconds), disk)


def _steps(model: Model, target: Target) -> dict[str, str]:
    """What is done for a target: each step once by its place, and the kind of step it is."""
    found: dict[str, str] = {_ORIGINAL: _ORIGINAL}
    place = ""
    for index, (stop, done) in enumerate(way(model.artifact, target)):
        place = f"{place} > {stop.key}"
        if index:
            found[place] = _kind(f"Convert to {changes.label_of(stop)}")
        for change in done:
            place = f"{place} + {change.key}"
            found[place] = _kind(f"{changes.words(change)} on {stop.format}")
    found[f"{_VERIFY} {place}"] = _VERIFY
    return found


def _disk(model: Model, target: Target, steps: int) -> int:
    """The artifact itself and those on its way, at most."""
    whole = model.artifact.size_bytes
    kept = [_KEPT.get(changes.pass_named(one.name).precision, 1.0) for one in target.passes]
    between = max(0, steps - 3 - len(target.passes))
    return int(whole * (between + min(kept, default=1.0)))


def _kind(label: str) -> str:
    """A step's label without what differs from artifact to artifact."""
    for word in (_VERIFY, _ORIGINAL):
        if label.startswith(word):
            return word
    return label.partition(" on ")[0].partition(" (")[0]


def _past(model: Model) -> Mapping[str, float]:
    """Seconds by kind of step: the median over the newest jobs, this model's own before others'."""
    own: dict[str, list[float]] = {}
    others: dict[str, list[float]] = {}
    sizes = {found.id: found.artifact.size_bytes for found in store.models.recent(50)}
    for row in store.jobs.recent(40):
        there = sizes.get(row.request.get("model_id", ""))
        if row.kind != "convert" or not there:
            continue
        mine = row.request["model_id"] == model.id
        scale = 1.0 if mine else max(0.2, min(5.0, model.artifact.size_bytes / there))
        for step in row.steps:
            if step.state is JobState.DONE and step.seconds:
                kept = (own if mine else others).setdefault(_kind(step.label), [])
                kept.append(step.seconds * scale)
    found = {**others, **own}
    return {kind: statistics.median(seconds) for kind, seconds in found.items()}
