"""The section on load: capacities, latencies and what is unstable, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

from engine.bench.observations import LoadRun, LoadWindow
from engine.reports.export import export_markdown
from engine.reports.model import Report
from engine.reports.render import export_html
from engine.reports.sections import clients, sections
from engine.reports.sections.model import Section
from tests.engine.reports.made import report

MS = 1_000_000


def window(latency_ms: float, gap_ms: float, count: int = 100) -> LoadWindow:
    """Requests that are due so far apart, without a lead, and all take so long."""
    due = tuple(round((0.5 + place) * gap_ms * MS) for place in range(count))
    return LoadWindow(due, (round(latency_ms * MS),) * count)


def loaded(made: Report) -> Report:
    """ONNX: 10 ms a request, 2 at a time: 100, 200 and again 200 a second. Torch: one at a time."""
    assert made.measurement is not None
    torch, onnx, _ = (variant.key for variant in made.measurement.plan.variants)
    closed = [
        LoadRun(key, count, None, None, key == torch, 0.0, 1.0, (closed_window(rate),) * 3)
        for key, rates in ((torch, (50, 50, 50)), (onnx, (100, 200, 200, 200)))
        for count, rate in zip((1, 2, 4, 8), rates, strict=False)
    ]
    opened = [
        LoadRun(key, servers, rate, share, key == torch, 0.0, 100 / rate, windows)
        for key, servers, capacity in ((torch, 1, 50), (onnx, 2, 200))
        for share in (0.5, 0.7, 0.9)
        for rate in [share * capacity]
        for windows in [
            tuple(
                window(10 * (2 if share == 0.9 and turn == 2 else 1), 1000 / rate)
                for turn in range(3)
            )
        ]
    ]
    found = (*closed, *opened)
    return replace(made, measurement=replace(made.measurement, clients=found))


def closed_window(rate: int) -> LoadWindow:
    """So many answers in the one second of the window, each after 5 ms."""
    return LoadWindow(
        tuple(round(place * 0.99e9 / rate) for place in range(rate)), (5 * MS,) * rate
    )


def the_section(made: Report) -> Section:
    """That of this study, found among all that a report has."""
    return next(one for one in sections(made) if one.name == "clients")


def test_there_is_no_section_where_nothing_was_studied() -> None:
    assert clients.section(report()) is None


def test_the_section_gives_capacity_and_what_waits_below_it() -> None:
    found = the_section(loaded(report()))
    rows = [row for row in found.table.rows if row[0] == "ONNX Runtime"]
    assert [row[1] for row in rows] == [
        *4 * ["at once"],
        "100 a second (50 %)",
        "140 a second (70 %)",
        "180 a second (90 %)",
    ]
    assert rows[1] == (
        *("ONNX Runtime", "at once", "2", "200 [200, 200]"),
        *("5.00 [5.00, 5.00]", "5.00 [5.00, 5.00]", "600", "steady"),
    )
    assert rows[4][2:] == (
        "2",
        "99.0 [99.0, 99.0]",  # the last is answered after the window
        "10.0 [10.0, 10.0]",
        "10.0 [10.0, 10.0]",
        "300",
        "steady",
    )
    assert rows[6][7] == "unstable: largest 2.00× the smallest"
    at_once, p50, p95, waiting, tail = found.plots
    assert at_once.alt == (
        "The capacity: ONNX Runtime 200 requests a second, reached with 2 clients; "
        "PyTorch (eager), original 50.0 requests a second, reached with 1 client."
    )
    assert at_once.series[1].x == (1, 2, 4, 8)
    assert p50.alt.startswith("The median latency: ")
    assert p95.y_title == tail.y_title == "p95, ms"
    assert waiting.series[1].x == (100.0, 140.0, 180.0)
    assert "ONNX Runtime at 90 %: median 10.0 ms, p95 20.0 ms (unstable)" in waiting.alt


def test_it_says_who_was_queued_and_why_no_more_clients_were_tried() -> None:
    found = the_section(loaded(report()))
    torch, onnx, inside, seeded = found.notes
    assert "a queue stood in front of it" in torch
    assert "threads that called one model together" in onnx
    assert "doubled until neither of two doublings" in onnx
    assert "no network" in inside
    assert "seeded Poisson" in seeded
    made = loaded(report())
    assert made.measurement is not None
    few = tuple(one for one in made.measurement.clients if one.clients == 1 and one.rate is None)
    found = the_section(replace(made, measurement=replace(made.measurement, clients=few)))
    assert "still growing with 1 client, the most tried" in found.notes[0]
    assert len(found.notes) == 3, "nothing arrived at random"


def test_exports_hold_the_section() -> None:
    made = loaded(report())
    assert "### Every load" in export_markdown(made)
    page = export_html(made)
    assert "<h2>Load</h2>" in page
    assert page.count("The capacity: ONNX Runtime 200 requests") == 2
