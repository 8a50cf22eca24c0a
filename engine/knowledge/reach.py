"""Which formats a model can get to from where it is, and one honest sentence where it cannot."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

from engine import registry
from engine.knowledge.guides import ORDER, format_guide, format_label
from engine.knowledge.source import read
from engine.types import Artifact, Reach


def reach_from(artifact: Artifact) -> tuple[Reach, ...]:
    """Every format there is, by converter or only by name, and whether the artifact gets there.

    The format eager PyTorch models are in is a source only, and not listed as a target.
    """
    reachable = registry.targets(artifact.format, artifact)
    names = dict.fromkeys((*ORDER, *reachable))
    return tuple(
        _one(artifact, name, name in reachable)
        for name in names
        if name != artifact.format or name in reachable
    )


def _one(artifact: Artifact, target: str, reachable: bool) -> Reach:
    if not reachable:
        return Reach(target, False, _refused(artifact, target) or _why_not(artifact.format, target))
    if target == artifact.format:
        return Reach(target, True, "It is in this format; other variants of it can be made.")
    steps = registry.route(artifact.format, target, artifact)
    between = [_label(end) for _, end in steps[:-1]]
    return Reach(target, True, f"Through {', then '.join(between)}." if between else "Directly.")


def _refused(artifact: Artifact, target: str) -> str | None:
    """What this very model lacks for the first step of the way."""
    first = registry.stops(artifact.format, target)[:1]
    why = registry.refusal(artifact, first[0]) if first else None
    if why is None or first == (target,):
        return why
    return f"The way leads through {_label(first[0])}. {why}"


def _why_not(source: str, target: str) -> str:
    label = _label(target)
    known = registry.formats().get(target)
    if known is None:
        return f"This version of Assay has no converter to {label} yet."
    if not registry.stops(source, target):
        return _no_way(source, target)
    if not known.available:
        lines = "; ".join(known.install_lines)
        how = f" Install with: {lines}" if lines else ""
        return f"{label} cannot be made here: {known.lacks}.{_instead(source, target)}{how}"
    lost = [stop for stop in registry.stops(source, target) if not _installed(stop)]
    if lost:
        return f"The way leads through {_label(lost[0])}. {_why_not(source, lost[0])}"
    way = (source, *registry.stops(source, target))
    for start, end in pairwise(way):
        if why := registry.lacking(start, end):
            return f"The way leads through {_label(start)}. {why}"
    return _no_way(source, target)


def _no_way(source: str, target: str) -> str:
    for reason in _reasons():
        if reason["from"] in (None, source) and reason["to"] in (None, target):
            return str(reason["why"])
    return f"This version of Assay has no conversion from {_label(source)} to {_label(target)}."


@cache
def _reasons() -> list[dict[str, Any]]:
    return list(read("no_way.yaml")["reasons"])


def _installed(name: str) -> bool:
    return registry.format_named(name).available


def _instead(source: str, target: str) -> str:
    """What can be made in its place, if something is named after it and can."""
    plan = f"{target}_plan"
    if plan not in registry.targets(source):
        return ""
    return f" {_label(plan)} can be made here, and the rest done on a machine that has it."


def _label(name: str) -> str:
    known = registry.formats().get(name)
    return known.label if known and format_guide(name) is None else format_label(name)
