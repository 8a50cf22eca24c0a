"""What a grid of targets will take, before it is started: steps, time and disk."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine import changes, store
from engine.jobs.protocol import JobState
from engine.pipeline.planning import planned
from engine.types import Model, Target

_FIXED_S, _PER_GIB_S = 4.0, 60.0
"""A step nobody has run here yet: what starting a worker and going once through the weights took
on two cores."""
_KEPT = {"float16": 0.55, "bfloat16": 0.55, "int8": 0.3, "int8 calibrated": 0.3, "int4": 0.2}
"""The share of a file that a precision leaves, names and scales counted in."""
_GRAPH_BYTES = 512 * 1024
"""What a file holds beside its weights: half of it was the most of any sample."""
_VERIFY, _ORIGINAL = "Verify", "Run the original"
_JUDGE, _ORIGINAL_ON_DATA = "Judge", "Run the original on"


@dataclass(frozen=True, slots=True)
class Estimate:
    """``seconds`` on this machine; ``known`` of the ``steps`` were run here before.

    ``disk_bytes`` counts every artifact on the way: they are kept.
    """

    steps: int
    known: int
    seconds: float
    disk_bytes: int


def estimate(model: Model, targets: Sequence[Target], *, judged: bool = False) -> Estimate:
    """By what the same steps took here: on this model, else on others, scaled by their size.

    ``judged``: there is data, on which the original and everything made is run as well. Targets
    that cannot be made count for nothing: their reasons are told elsewhere.
    """
    making = planned(model.artifact, targets)
    if not making:
        return Estimate(0, 0, 0.0, 0)
    kinds = [_kind(step.label) for step in making]
    kinds += [_ORIGINAL, *(_VERIFY for _ in targets)]
    if judged:
        kinds += [_ORIGINAL_ON_DATA, *(_JUDGE for _ in targets)]
    past = _past(model)
    typical = _FIXED_S + _PER_GIB_S * model.artifact.size_bytes / 1024**3
    return Estimate(
        steps=len(kinds),
        known=sum(kind in past for kind in kinds),
        seconds=sum(past.get(kind, typical) for kind in kinds),
        disk_bytes=sum(_size(model, step.made) for step in making),
    )


def _size(model: Model, made: Target) -> int:
    """What an artifact takes, at most: the weights in the least of its precisions, and a graph."""
    kept = [_KEPT.get(changes.pass_named(one.name).precision, 1.0) for one in made.passes]
    return _GRAPH_BYTES + int(model.artifact.size_bytes * min(kept, default=1.0))


def _kind(label: str) -> str:
    """A step's label without what differs from artifact to artifact."""
    for word in (_VERIFY, _JUDGE, _ORIGINAL_ON_DATA, _ORIGINAL):
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
