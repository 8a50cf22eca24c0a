"""What more rows at once bring, and what they cost in latency and memory."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np

from engine.bench import sweep
from engine.bench.observations import BatchPoint, BatchSweep
from engine.reports import words
from engine.reports.curves import Curves, Painted, Point, painted, plot, point
from engine.reports.model import Report
from engine.reports.sections.model import Section
from engine.reports.tables import Table

PLACE = 40
_X = "Rows a call (batch)"


def section(report: Report) -> Section | None:
    """Throughput and latency over the batch sizes of every variant."""
    if report.measurement is None or not report.measurement.batches:
        return None
    found = {one.variant: one for one in report.measurement.batches}
    names = painted(report.measurement.plan, found)
    curves = {key: [_point(size, own) for size, own in _sizes(found[key])] for key in names}
    return Section(
        name="batches",
        title="Batch size",
        caption="Rows answered a second, and how long one call takes, by how many rows it gets at "
        "once. Both scales are logarithmic; whiskers are 95 % intervals.",
        plots=(
            *plot(curves, names, "rate", (_X, "Rows a second"), _most(curves, names)),
            *plot(curves, names, "p50", (_X, "Median, ms a call"), _longer(curves, names)),
            *plot(curves, names, "p95", (_X, "p95, ms a call"), _tail(curves, names)),
        ),
        table=Table(
            "Every batch size",
            (
                *("Variant", "Batch", "Rows a second", "Median, ms a call", "p95, ms a call"),
                *("Memory, MiB", "Processes", "Disturbed"),
            ),
            tuple(
                _row(names[key].name, one, own)
                for key in names
                for one, (_, own) in zip(curves[key], _sizes(found[key]), strict=True)
            ),
            "Memory is the most that was resident, framework and mapped files included. Disturbed "
            "counts the processes beside which other work, or the machine's own pace, was noticed.",
        ),
        notes=tuple(_note(names[key].name, curves[key], found[key]) for key in names),
    )


def _sizes(found: BatchSweep) -> list[tuple[int, list[BatchPoint]]]:
    """The processes of each batch size, from the smallest."""
    sizes = sorted({one.batch for one in found.points})
    return [(size, [one for one in found.points if one.batch == size]) for size in sizes]


def _point(batch: int, own: Sequence[BatchPoint]) -> Point:
    rates = [batch / (float(np.mean(one.samples_ns)) / 1e9) for one in own]
    return point(batch, rates, [np.array(one.samples_ns) for one in own])


def _row(name: str, one: Point, own: Sequence[BatchPoint]) -> tuple[str, ...]:
    return (
        name,
        f"{one.x:g}",
        words.percentile(one.rate),
        words.percentile(one.p50),
        words.percentile(one.p95),
        words.number(median(process.peak_bytes for process in own) / words.MIB),
        str(len(own)),
        str(sum(bool(process.disturbed) for process in own)),
    )


def _rates(points: Sequence[Point]) -> dict[int, float]:
    return {int(one.x): one.rate.value for one in points if one.rate.value is not None}


def _most(curves: Curves, names: dict[str, Painted]) -> str:
    """Who gives most, and from which batch on."""
    said = []
    for key, points in curves.items():
        rates = _rates(points)
        best, first = sweep.enough(rates), min(rates)
        gain = rates[best] / rates[first]
        said.append(
            (
                rates[best],
                f"{names[key].name} {words.number(rates[best])} a second at "
                f"batch {best}, {gain:.1f}× what batch {first} gives",
            )
        )
    most = [sentence for _, sentence in sorted(said, reverse=True)]
    return f"As good as the most that comes out: {'; '.join(most)}."


def _longer(curves: Curves, names: dict[str, Painted]) -> str:
    """How much longer a call takes at the largest batch."""
    said = []
    for key, points in curves.items():
        seen = [one for one in points if one.p50.value is not None]
        if seen:
            small, large = seen[0], seen[-1]
            said.append(
                f"{names[key].name} from {words.number(small.p50.value or 0)} ms at batch "
                f"{small.x:g} to {words.number(large.p50.value or 0)} ms at batch {large.x:g}"
            )
    return f"The median call takes longer with more rows: {'; '.join(said)}."


def _tail(curves: Curves, names: dict[str, Painted]) -> str:
    """How far the p95 is from the median, at its worst."""
    far = [
        (one.p95.value / one.p50.value, names[key].name, one.x)
        for key, points in curves.items()
        for one in points
        if one.p95.value is not None and one.p50.value is not None
    ]
    if not far:
        return ""
    ratio, name, batch = max(far)
    return f"The p95 is at most {ratio:.1f}× the median: {name} at batch {batch:g}."


def _note(name: str, points: Sequence[Point], found: BatchSweep) -> str:
    best = sweep.enough(_rates(points))
    return (
        f"{name}: batch {best} is the smallest that gives as much as any, but for "
        f"{100 * sweep.GAIN:.0f} %. No larger one was tried: {found.stopped}."
    )
