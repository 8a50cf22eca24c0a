"""The way to a target, stop by stop, and what each step on it is called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from engine import changes, registry
from engine.errors import EngineError, NoRoute
from engine.knowledge import reach_from
from engine.types import Artifact, Change, Target


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One edge or pass: what it is called, and what there is after it."""

    label: str
    made: Target


def planned(artifact: Artifact, targets: Sequence[Target]) -> tuple[PlannedStep, ...]:
    """The steps of a job in order, those that targets share once.

    A target that cannot be made has none: its reason is told when it is tried.
    """
    found: dict[str, PlannedStep] = {}
    for target in targets:
        try:
            found |= {step.made.key: step for step in _steps(artifact, target)}
        except EngineError:
            continue
    return tuple(found.values())


def edge_label(asked: Target) -> str:
    """What a conversion is called."""
    return f"Convert to {changes.label_of(Target(asked.format, asked.options))}"


def pass_label(change: Change, on: Target) -> str:
    """What a pass is called."""
    return f"{changes.words(change)} on {changes.label_of(on)}"


def way(artifact: Artifact, target: Target) -> tuple[tuple[Target, tuple[Change, ...]], ...]:
    """Every stop from the artifact to the target, itself first, and the passes done at each.

    Raises NoRoute, with the reason that the Model page gives, or UnsupportedModel for a pass.
    """
    stays = target.format == artifact.format and target.passes and not target.options
    edges = () if stays else _route(artifact, target)
    names = (artifact.format, *(end for _, end in edges))
    done = changes.placed(names, target.passes)
    last = len(names) - 1
    return tuple(
        (Target(name, target.options if index == last else {}), done[index])
        for index, name in enumerate(names)
    )


def _route(artifact: Artifact, target: Target) -> tuple[tuple[str, str], ...]:
    """The edges to a target. Raises NoRoute with the reason that the Model page gives."""
    try:
        return registry.route(artifact.format, target.format, artifact)
    except NoRoute as error:
        known = {reach.format: reach.reason for reach in reach_from(artifact)}
        why = known.get(target.format, error.message)
        raise NoRoute(why, hint=error.hint) from error


def _steps(artifact: Artifact, target: Target) -> Iterator[PlannedStep]:
    here = artifact.target
    for index, (stop, done) in enumerate(way(artifact, target)):
        if index:
            here = Target(stop.format, stop.options, here.passes)
            yield PlannedStep(edge_label(stop), here)
        for change in done:
            label = pass_label(change, here)
            here = replace(here, passes=(*here.passes, change))
            yield PlannedStep(label, here)
