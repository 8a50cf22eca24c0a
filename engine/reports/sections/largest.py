"""The largest batch of every variant, and the memory that batches take."""

from __future__ import annotations

from engine.bench.observations import BatchTry, LargestBatch
from engine.reports import words
from engine.reports.curves import Painted, painted
from engine.reports.model import Report
from engine.reports.sections.model import Plot, Section, Series
from engine.reports.tables import Table

PLACE = 60


def section(report: Report) -> Section | None:
    """What fitted, and what stopped it from being more."""
    if report.measurement is None or not report.measurement.largest:
        return None
    found = {one.variant: one for one in report.measurement.largest}
    names = painted(report.measurement.plan, found)
    return Section(
        name="largest",
        title="Largest batch",
        caption="The largest batch that fits into the memory that was free, to a sixteenth. What "
        "the sizes before said would not fit was not tried.",
        plots=(_plot(found, names),),
        table=Table(
            "The largest batch of every variant",
            (
                *("Variant", "Largest batch", "Memory it took, MiB", "Memory free, MiB"),
                *("One call", "Sizes looked at", "What stopped it"),
            ),
            tuple(_row(names[key].name, found[key]) for key in names),
            "Memory is the most that was resident while it answered, framework, weights and inputs "
            "included. Each size ran in a process of its own, with a wall where free memory ends.",
        ),
    )


def _fitting(found: LargestBatch) -> list[BatchTry]:
    """The sizes that ran, from the smallest."""
    ran = (one for one in found.tries if one.peak_bytes is not None)
    return sorted(ran, key=lambda one: one.batch)


def _plot(found: dict[str, LargestBatch], names: dict[str, Painted]) -> Plot:
    drawn = [
        Series(
            names[key].name,
            names[key].colour,
            tuple(one.batch for one in _fitting(found[key])),
            tuple((one.peak_bytes or 0) / words.MIB for one in _fitting(found[key])),
        )
        for key in names
    ]
    largest = max(one.batch for own in found.values() for one in own.tries)
    free = min(one.limit_bytes for own in found.values() for one in own.tries) / words.MIB
    limit = Series("Memory that was free, at its least", 0, (1, largest), (free, free), dashed=True)
    said = sorted(
        ((_fitting(found[key])[-1].batch, names[key].name) for key in names), reverse=True
    )
    told = "; ".join(f"{name} {batch}" for batch, name in said)
    return Plot(
        "curves",
        "Rows a call (batch)",
        "Memory at its peak, MiB",
        (*drawn, limit),
        f"The largest batch that fits: {told}.",
        x_log=True,
        y_log=True,
    )


def _row(name: str, found: LargestBatch) -> tuple[str, ...]:
    best = _fitting(found)[-1]
    return (
        name,
        str(best.batch),
        words.number((best.peak_bytes or 0) / words.MIB),
        words.number(best.limit_bytes / words.MIB),
        words.seconds(best.seconds or 0.0),
        str(len(found.tries)),
        found.stopped,
    )
