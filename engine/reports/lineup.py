"""Variants of several reports that mean the same, in one row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.bench.stats import Ratio
from engine.reports.model import Report
from engine.reports.variants import VariantFigures, ratios


@dataclass(frozen=True, slots=True)
class Row:
    """What means the same in every report: the same target, batch and threads.

    ``cells`` holds the figures by report, None where it was not measured; ``ratios`` the speed
    against the baseline within that report. ``colour`` numbers the target, which keeps its own.
    """

    key: str
    name: str
    colour: int
    cells: tuple[VariantFigures | None, ...]
    ratios: tuple[Ratio | None, ...]


def keys_of(report: Report, measured: Sequence[VariantFigures]) -> dict[str, str]:
    """What each artifact means: its target; a second one of the same target tells its bytes."""
    made = {artifact.id: artifact for artifact in report.artifacts}
    found: dict[str, str] = {}
    for id_ in dict.fromkeys(v.artifact_id for v in measured):
        key = made[id_].target.key
        found[id_] = f"{key} {made[id_].sha256[:6]}" if key in found.values() else key
    return found


def baselines_of(
    measured: Sequence[tuple[VariantFigures, ...]], keys: Sequence[dict[str, str]]
) -> tuple[tuple[str, str], ...]:
    """Every target that some report measured, with the label it has where it comes first."""
    labels: dict[str, str] = {}
    for own, named in zip(measured, keys, strict=True):
        for v in own:
            labels.setdefault(named[v.artifact_id], v.label)
    seen = list(labels.values())
    return tuple(
        (key, label if seen.count(label) == 1 else f"{label} ({key})")
        for key, label in labels.items()
    )


def usual_baseline(
    measured: Sequence[tuple[VariantFigures, ...]],
    keys: Sequence[dict[str, str]],
    known: Sequence[str],
) -> str | None:
    """The baseline where nobody chose one."""
    own = [set(named.values()) for named in keys if named]
    shared = [key for key in known if all(key in named for named in own)]
    originals = [
        named[v.artifact_id]
        for figures, named in zip(measured, keys, strict=True)
        for v in figures
        if v.is_original
    ]
    ranked = [*(key for key in originals if key in shared), *shared, *originals, *known]
    return next(iter(ranked), None)


def line_up(
    reports: Sequence[Report],
    measured: Sequence[tuple[VariantFigures, ...]],
    keys: Sequence[dict[str, str]],
    baseline: str | None,
) -> tuple[Row, ...]:
    """One row a meaning, in the order in which they come up."""
    cells = [
        {(named[v.artifact_id], v.batch, v.threads): v for v in own}
        for own, named in zip(measured, keys, strict=True)
    ]
    judged = [
        _against(report, named, baseline) for report, named in zip(reports, keys, strict=True)
    ]
    meanings = list(dict.fromkeys(meaning for own in cells for meaning in own))
    batches, threads = ({meaning[at] for meaning in meanings} for at in (1, 2))
    labels = dict(baselines_of(measured, keys))
    found = []
    for meaning in meanings:
        key, batch, count = meaning
        line = tuple(own.get(meaning) for own in cells)
        name = labels[key]
        if all(v.is_original for v in line if v):
            name = f"{name}, original"
        name = f"{name}, batch {batch}" if len(batches) > 1 else name
        many = "1 thread" if count == 1 else f"{count} threads"
        name = f"{name}, {many}" if len(threads) > 1 else name
        ratios_ = tuple(own.get(v.key) if v else None for own, v in zip(judged, line, strict=True))
        found.append(Row(key, name, list(labels).index(key), line, ratios_))
    return tuple(found)


def _against(report: Report, named: dict[str, str], baseline: str | None) -> dict[str, Ratio]:
    """The ratios within one report, none where it has not measured the baseline."""
    artifact_id = next((id_ for id_, key in named.items() if key == baseline), None)
    if artifact_id is None or report.measurement is None:
        return {}
    return ratios(report.measurement, artifact_id)
