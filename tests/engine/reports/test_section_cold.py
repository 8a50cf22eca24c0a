"""The section on cold starts: medians of sums, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

from engine.bench.observations import ColdStart
from engine.reports.export import export_markdown
from engine.reports.figures import figures
from engine.reports.model import Report
from engine.reports.render import export_html
from engine.reports.sections import sections
from tests.engine.reports.made import report

MIB = 1024**2


def started(made: Report) -> Report:
    """Three processes of each kind: onnx starts quickest, torch slowest."""
    assert made.measurement is not None
    cold = tuple(
        ColdStart(v.key, evicted, 0.1, step * pace, 0.2 + evicted, 0.05, MIB * evicted * 10)
        for v in made.measurement.plan.variants
        for pace in [{"torch": 2.0, "onnx": 0.3, "torchscript": 1.0}[v.format]]
        for evicted in (False, True)
        for step in (1.0, 1.1, 1.5)
    )
    return replace(made, measurement=replace(made.measurement, cold=cold))


def test_there_is_no_section_where_nothing_was_studied() -> None:
    assert "cold" not in {found.name for found in sections(report())}


def test_the_section_gives_medians_phase_by_phase() -> None:
    found = next(one for one in sections(started(report())) if one.name == "cold")
    rows = {row[:2]: row[2:] for row in found.table.rows}
    assert len(rows) == 6
    assert rows["PyTorch (eager), original", "in the cache"] == (
        "100 ms",
        "2.20 s",
        "200 ms",
        "50.0 ms",
        "2.55 s",
        "2.35 s to 3.35 s",
        "0",
        "3",
    )
    assert rows["ONNX Runtime", "from storage"][4] == "1.68 s"
    assert rows["ONNX Runtime", "from storage"][6] == "10.0"
    (plot,) = found.plots
    assert [one.name for one in plot.series] == ["Start", "Import", "Load", "First inference"]
    assert plot.series[1].y[:2] == (2.2, 2.2)
    assert plot.alt == (
        "ONNX Runtime answers first, 680 ms after its start; PyTorch (eager), original is last, "
        "after 2.55 s (file in the cache)."
    )


def test_exports_hold_the_section() -> None:
    made = started(report())
    assert "### Cold start in seconds" in export_markdown(made)
    page = export_html(made)
    assert "<h2>Cold start</h2>" in page
    assert page.count("answers first, 680 ms") == 2  # the wide drawing and the narrow one


def test_who_failed_in_a_study_is_named_beneath_its_section_once() -> None:
    made = started(report())
    assert made.measurement is not None
    key = made.measurement.plan.variants[2].key
    failures = {f"cold: {key}": "It does not open.", f"largest: {key}": "It has no room."}
    made = replace(made, measurement=replace(made.measurement, study_failures=failures))
    found = figures(made)
    own = next(one for one in found.sections if one.name == "cold")
    assert own.notes == ("TorchScript: It does not open.",)
    assert found.failures == {"TorchScript, largest": "It has no room."}
