"""The section on the largest batch: what fitted, with what memory, and what stopped it."""

from __future__ import annotations

from dataclasses import replace

from engine.bench.observations import BatchTry, LargestBatch
from engine.reports.export import export_markdown
from engine.reports.model import Report
from engine.reports.render import export_html
from engine.reports.sections import largest, sections
from engine.reports.sections.model import Section
from tests.engine.reports.made import report

MIB = 1024**2


def searched(made: Report) -> Report:
    """100 MiB and 50 a row, within 1000 MiB: 17 and more are foreseen not to fit."""
    assert made.measurement is not None
    torch, onnx, _ = (variant.key for variant in made.measurement.plan.variants)
    tries = tuple(
        BatchTry(batch, 1000 * MIB, None, (100 + 50 * batch) * MIB, 0.01 * batch)
        for batch in (1, 2, 4, 8, 16)
    )
    over = tuple(
        BatchTry(batch, 1000 * MIB, 2000 * MIB, None, None, f"batch {batch} would not fit")
        for batch in (32, 24, 20, 18, 17)
    )
    found = (
        LargestBatch(torch, tries[:3], "4 is the largest that this study tries"),
        LargestBatch(onnx, (*tries, *over), "batch 17 would not fit"),
    )
    return replace(made, measurement=replace(made.measurement, largest=found))


def the_section(made: Report) -> Section:
    """That of this study, found among all that a report has."""
    return next(one for one in sections(made) if one.name == "largest")


def test_there_is_no_section_where_nothing_was_studied() -> None:
    assert largest.section(report()) is None


def test_the_section_gives_the_batch_its_memory_and_what_stopped_it() -> None:
    found = the_section(searched(report()))
    torch, onnx = found.table.rows
    assert torch[:6] == ("PyTorch (eager), original", "4", "300", "1000", "40.0 ms", "3")
    assert torch[6] == "4 is the largest that this study tries"
    assert onnx[:6] == ("ONNX Runtime", "16", "900", "1000", "160 ms", "10")
    assert onnx[6] == "batch 17 would not fit"
    (plot,) = found.plots
    assert plot.series[1].x == (1, 2, 4, 8, 16)
    assert plot.series[1].y == (150, 200, 300, 500, 900)
    limit = plot.series[2]
    assert (limit.dashed, limit.x, limit.y) == (True, (1, 32), (1000, 1000))
    assert plot.alt == (
        "The largest batch that fits: ONNX Runtime 16; PyTorch (eager), original 4."
    )


def test_exports_hold_the_section() -> None:
    made = searched(report())
    assert "### The largest batch of every variant" in export_markdown(made)
    page = export_html(made)
    assert "<h2>Largest batch</h2>" in page
    assert page.count("The largest batch that fits: ONNX Runtime 16") == 2
