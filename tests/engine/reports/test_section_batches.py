"""The section on batch sizes: rates and medians, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.bench.observations import BatchPoint, BatchSweep
from engine.reports.export import export_markdown
from engine.reports.model import Report
from engine.reports.render import export_html
from engine.reports.sections import batches, sections
from engine.reports.sections.model import Section
from tests.engine.reports.made import report

MIB, MS = 1024**2, 1_000_000


def swept(made: Report) -> Report:
    """Three processes a size. A call of onnx costs 1 ms and 0.1 ms a row, one of torch ten times.

    ONNX gives 909, 1667, 2857, 4444, 6154 rows a second; the middle process runs at that pace,
    the others 1 % off.
    """
    assert made.measurement is not None
    found = tuple(
        BatchSweep(
            v.key,
            tuple(
                BatchPoint(
                    batch,
                    turn,
                    (round((1 + batch / 10) * MS * slow * pace),) * 50,
                    1,
                    (200 + batch) * MIB,
                    "other work" if turn == 2 else "",
                )
                for batch in (1, 2, 4, 8, 16)
                for turn, pace in enumerate((0.99, 1.0, 1.01))
            ),
            "16 is the largest that this study tries",
        )
        for v in made.measurement.plan.variants
        if v.format != "torchscript"
        for slow in [1 if v.format == "onnx" else 10]
    )
    return replace(made, measurement=replace(made.measurement, batches=found))


def the_section(made: Report) -> Section:
    """That of this study, found among all that a report has."""
    return next(one for one in sections(made) if one.name == "batches")


def test_there_is_no_section_where_nothing_was_studied() -> None:
    assert batches.section(report()) is None


def test_the_section_gives_rates_and_medians() -> None:
    found = the_section(swept(report()))
    rows = {row[:2]: row[2:] for row in found.table.rows}
    assert list(rows) == [
        (name, size)
        for name in ("PyTorch (eager), original", "ONNX Runtime")
        for size in ("1", "2", "4", "8", "16")
    ]
    rate, p50, p95, memory, processes, disturbed = rows["ONNX Runtime", "8"]
    assert rate == "4445 [4336, 4556]"
    assert p50 == "1.80 [1.76, 1.85]"
    assert p95 == "1.82 [1.77, 1.86]"
    assert (memory, processes, disturbed) == ("208", "3", "1")


def test_its_curves_have_intervals_and_their_sentence() -> None:
    found = the_section(swept(report()))
    rate, p50, p95 = found.plots
    onnx = rate.series[1]
    assert (onnx.name, onnx.colour, onnx.x) == ("ONNX Runtime", 1, (1, 2, 4, 8, 16))
    assert onnx.y == pytest.approx((909.1, 1666.7, 2857.1, 4444.4, 6153.8), rel=1e-4)
    for value, low, high in zip(onnx.y, onnx.low, onnx.high, strict=True):
        assert value is not None and low is not None and high is not None
        # Student's t of three processes: 4.303 × 1 % / √3 to either side.
        assert high / value == pytest.approx(1.0252, abs=2e-4)
        assert value / low == pytest.approx(1.0252, abs=2e-4)
    assert rate.alt == (
        "As good as the most that comes out: ONNX Runtime 6154 a second at batch 16, 6.8× what "
        "batch 1 gives; PyTorch (eager), original 615 a second at batch 16, 6.8× what batch 1 "
        "gives."
    )
    assert "ONNX Runtime from 1.10 ms at batch 1 to 2.60 ms at batch 16" in p50.alt
    assert p95.alt.startswith("The p95 is at most 1.0× the median: ")
    assert found.notes[1] == (
        "ONNX Runtime: batch 16 is the smallest that gives as much as any, but for 5 %. No larger "
        "one was tried: 16 is the largest that this study tries."
    )


def test_exports_hold_the_section() -> None:
    made = swept(report())
    assert "### Every batch size" in export_markdown(made)
    page = export_html(made)
    assert "<h2>Batch size</h2>" in page
    assert page.count("6.8× what batch 1 gives; PyTorch") == 2


def test_too_few_samples_give_no_percentile_and_no_empty_curve() -> None:
    made = swept(report())
    assert made.measurement is not None
    short = tuple(
        replace(one, points=tuple(replace(p, samples_ns=p.samples_ns[:2]) for p in one.points))
        for one in made.measurement.batches
    )
    found = the_section(replace(made, measurement=replace(made.measurement, batches=short)))
    assert [plot.y_title for plot in found.plots] == ["Rows a second"]
    assert found.table.rows[0][3] == "n too small (n = 6, needs 11)"
    assert export_html(replace(made, measurement=replace(made.measurement, batches=short)))
