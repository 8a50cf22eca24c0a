"""The capacity of every variant under clients that ask at once, and how long they wait below it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from engine.bench import load, sweep
from engine.bench.observations import LoadRun
from engine.reports import words
from engine.reports.curves import Curves, Painted, painted, plot, point
from engine.reports.model import Report
from engine.reports.sections.model import Section
from engine.reports.tables import Table

PLACE = 50
_AT_ONCE, _OFFERED = "Clients that ask at once", "Requests that arrive a second"
_UNSTEADY = "unstable"


def section(report: Report) -> Section | None:
    """The closed loop over its clients, the open one over its rates."""
    if report.measurement is None or not report.measurement.clients:
        return None
    found = report.measurement.clients
    names = painted(report.measurement.plan, (one.variant for one in found))
    closed = {key: [one for one in found if one.variant == key and not one.rate] for key in names}
    opened = {key: [one for one in found if one.variant == key and one.rate] for key in names}
    asked = {
        key: [point(one.clients, load.rates(one), load.latencies(one)) for one in own]
        for key, own in closed.items()
    }
    offered = {
        key: [point(one.rate or 0.0, load.rates(one), load.latencies(one)) for one in own]
        for key, own in opened.items()
    }
    waits = _waits(opened, names)
    return Section(
        name="clients",
        title="Load",
        caption="First, clients that each ask again as soon as they are answered: what comes out "
        "at most is the capacity. Then requests that arrive at random, at 50, 70 and 90 % of it. "
        "Latency counts from when a request was due, waiting included.",
        plots=(
            *plot(asked, names, "rate", (_AT_ONCE, "Requests a second"), _most(closed, names)),
            *plot(asked, names, "p50", (_AT_ONCE, "Median, ms"), _longer(asked, names, "p50")),
            *plot(asked, names, "p95", (_AT_ONCE, "p95, ms"), _longer(asked, names, "p95")),
            *plot(offered, names, "p50", (_OFFERED, "Median, ms"), waits),
            *plot(offered, names, "p95", (_OFFERED, "p95, ms"), waits),
        ),
        table=Table(
            "Every load",
            (
                *("Variant", "Load", "Clients", "Requests a second", "Median, ms", "p95, ms"),
                *("Requests counted", "Windows"),
            ),
            tuple(_row(names[key].name, one) for key in names for one in closed[key] + opened[key]),
            f"{load.WINDOWS} windows each; unstable where the largest, of the answers a second or "
            f"of the medians, is more than {load.STEADY:.2f} times the smallest. Intervals are "
            "between windows of one process, so they do not hold the luck of a process.",
        ),
        notes=(*(_note(names[key], closed[key]) for key in names if closed[key]), *_ways(found)),
    )


def _row(name: str, one: LoadRun) -> tuple[str, ...]:
    seen = point(one.clients, load.rates(one), load.latencies(one))
    return (
        name,
        f"{one.rate:.4g} a second ({words.share(one.share or 0.0)})" if one.rate else "at once",
        str(one.clients),
        words.percentile(seen.rate),
        words.percentile(seen.p50),
        words.percentile(seen.p95),
        str(sum(len(window) for window in load.latencies(one))),
        _windows(one),
    )


def _windows(one: LoadRun) -> str:
    """Whether the windows agree, and by how much not."""
    spread = load.spread(one)
    if spread is None:
        return f"{_UNSTEADY}: a window without an answer"
    return "steady" if load.steady(one) else f"{_UNSTEADY}: largest {spread:.2f}× the smallest"


def _reached(own: Sequence[LoadRun]) -> dict[int, float]:
    """What each number of clients got a second, in the middle window."""
    return {one.clients: median(load.rates(one)) for one in own}


def _most(closed: dict[str, list[LoadRun]], names: dict[str, Painted]) -> str:
    said = sorted(
        ((max(_reached(own).values()), key) for key, own in closed.items() if own), reverse=True
    )
    told = (
        f"{names[key].name} {words.number(most)} requests a second, reached with "
        f"{_clients(sweep.enough(_reached(closed[key])))}"
        for most, key in said
    )
    return f"The capacity: {'; '.join(told)}."


def _longer(asked: Curves, names: dict[str, Painted], what: str) -> str:
    said = []
    for key, points in asked.items():
        seen = [(one.x, getattr(one, what).value) for one in points]
        known = [(int(x), value) for x, value in seen if value is not None]
        if known:
            (few, short), (many, long) = known[0], known[-1]
            said.append(
                f"{names[key].name} {words.number(short)} ms with {_clients(few)}, "
                f"{words.number(long)} ms with {many}"
            )
    kind = "median latency" if what == "p50" else "p95"
    return f"The {kind}: {'; '.join(said)}."


def _waits(opened: dict[str, list[LoadRun]], names: dict[str, Painted]) -> str:
    """What the highest load does to the latency, variant by variant."""
    said = []
    for key, own in opened.items():
        if own:
            last = max(own, key=lambda one: one.rate or 0.0)
            seen = point(last.clients, load.rates(last), load.latencies(last))
            p95 = "" if seen.p95.value is None else f", p95 {words.number(seen.p95.value)} ms"
            known = seen.p50.value
            typical = (
                "too few answers for a median" if known is None else f"{words.number(known)} ms"
            )
            unsteady = "" if load.steady(last) else " (unstable)"
            share = words.share(last.share or 0.0)
            said.append(f"{names[key].name} at {share}: median {typical}{p95}{unsteady}")
    return f"Latency under the heaviest load tried: {'; '.join(said)}."


def _note(painted_as: Painted, own: Sequence[LoadRun]) -> str:
    reached = _reached(own)
    found = sweep.saturated([reached[clients] for clients in sorted(reached)])
    why = (
        f"{sweep.RULE}" if found else f"still growing with {_clients(max(reached))}, the most tried"
    )
    way = (
        "its model takes one call at a time: a queue stood in front of it"
        if own[0].queued
        else "its clients were threads that called one model together"
    )
    return f"{painted_as.name}: {why}; {way}."


def _ways(found: Sequence[LoadRun]) -> tuple[str, ...]:
    """What limits all of it."""
    seeded = (
        "Requests arrive by a seeded Poisson process, in the same pattern for every variant and in "
        "each window, which begins with nobody waiting: windows differ by the machine and not by "
        "the luck of arrivals, which the intervals do not hold."
    )
    inside = (
        "Clients run in the process of the model: no network is in these figures, but Python is, "
        "and so is its waking up, some 0.1 ms. Every call uses the threads of its variant."
    )
    return (inside, seeded) if any(one.rate for one in found) else (inside,)


def _clients(count: int) -> str:
    return "1 client" if count == 1 else f"{count} clients"
