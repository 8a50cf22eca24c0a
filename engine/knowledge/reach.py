"""Which formats a model can get to from where it is, and one honest sentence where it cannot."""

from __future__ import annotations

from engine import registry
from engine.knowledge.guides import ORDER, format_guide, format_label
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
        why = registry.refusal(artifact, target) or _why_not(artifact.format, target)
        return Reach(target, False, why)
    steps = registry.route(artifact.format, target, artifact)
    between = [_label(end) for _, end in steps[:-1]]
    return Reach(target, True, f"Through {', then '.join(between)}." if between else "Directly.")


def _why_not(source: str, target: str) -> str:
    label = _label(target)
    known = registry.formats().get(target)
    if known is None:
        return f"This version of Assay has no converter to {label} yet."
    if not known.available:
        lines = "; ".join(known.install_lines)
        how = f" Install with: {lines}" if lines else ""
        return f"{label} cannot be made here: {known.lacks}.{_instead(source, target)}{how}"
    return f"This version of Assay has no conversion from {_label(source)} to {label}."


def _instead(source: str, target: str) -> str:
    """What can be made in its place, if something is named after it and can."""
    plan = f"{target}_plan"
    if plan not in registry.targets(source):
        return ""
    return f" {_label(plan)} can be made here, and the rest done on a machine that has it."


def _label(name: str) -> str:
    known = registry.formats().get(name)
    return known.label if known and format_guide(name) is None else format_label(name)
