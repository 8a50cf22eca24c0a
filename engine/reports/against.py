"""The comparison of a report against a baseline that a person picks: the original, or another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.errors import NotFound
from engine.reports.forest import Forest, forest
from engine.reports.model import Report
from engine.reports.tables import Table, verdict_table
from engine.reports.variants import VariantFigures, ratios

ORIGINAL = "the original"


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a person may pick. ``key`` is that of the artifact's first variant in the plan."""

    key: str
    name: str
    artifact_id: str
    is_original: bool


@dataclass(frozen=True, slots=True)
class Against:
    """Every variant against ``baseline``, which is in words what ``other`` says."""

    baseline: Baseline | None
    other: str
    verdicts: Table
    forest: Forest | None


def baselines(variants: Sequence[VariantFigures]) -> tuple[Baseline, ...]:
    """Every artifact that was measured, the original first; told apart by id where need be."""
    firsts = {v.artifact_id: v for v in reversed(variants)}
    found = sorted(firsts.values(), key=lambda v: (not v.is_original, variants.index(v)))
    labels = [v.label for v in found]
    return tuple(
        Baseline(
            v.key,
            v.label if labels.count(v.label) == 1 else f"{v.label} ({v.artifact_id[:6]})",
            v.artifact_id,
            v.is_original,
        )
        for v in found
    )


def against(report: Report, variants: tuple[VariantFigures, ...], key: str | None) -> Against:
    """The verdicts and the forest against the artifact of this variant, at every batch and threads.

    None: the original. ``variants`` are the report's figures; those of time, memory and size stay
    as they are, and so do the statistics: ratios of the same rounds, judged together (Holm). Raises
    NotFound for a key that no measured variant has.
    """
    known = baselines(variants)
    if key is None:
        found = next((one for one in known if one.is_original), None)
    else:
        chosen = next((v.artifact_id for v in variants if v.key == key), None)
        found = next((one for one in known if one.artifact_id == chosen), None)
        if found is None:
            raise NotFound(
                f"Nothing that was measured is called {key!r}.",
                hint=f"Baselines of this report: {', '.join(one.key for one in known) or 'none'}.",
            )
    if found is None or found.is_original:
        return Against(found, ORIGINAL, verdict_table(report, variants), forest(variants, ORIGINAL))
    assert report.measurement is not None
    fresh = ratios(report.measurement, found.artifact_id)
    judged = tuple(replace(v, ratio=fresh.get(v.key)) for v in variants)
    return Against(
        found,
        found.name,
        verdict_table(report, judged, found.artifact_id, found.name),
        forest(judged, found.name),
    )
