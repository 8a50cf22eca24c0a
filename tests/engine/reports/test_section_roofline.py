"""The roofline section: limits, distances and what is impossible, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.bench.observations import Roofline
from engine.reports.export import export_markdown
from engine.reports.figures import figures
from engine.reports.model import Report
from engine.reports.render import export_html
from engine.reports.sections.model import Section
from engine.reports.sections.roofline import IMPOSSIBLE, section
from tests.engine.reports.made import report

MB = 10**6


def studied(**changes: dict[str, object]) -> Report:
    """8.2 × 10⁹ operations and 102 MB at 500 × 10⁹ operations and 20 × 10⁹ bytes a second.

    The medians are 70, 35 and 60 ms; arithmetic takes 16.4 ms, memory 3.5 ms with a 32 MB cache.
    """
    made = report()
    assert made.measurement is not None
    found = []
    for v in made.measurement.plan.variants:
        plain = Roofline(v.key, v.key, 8_200 * MB, 0, 0, 102 * MB, 500.0, 2000.0, 20.0, 32 * MB)
        found.append(replace(plain, **changes.get(v.format, {})))
    return replace(made, measurement=replace(made.measurement, roofline=tuple(found)))


def shown(made: Report) -> tuple[Section, dict[str, dict[str, str]]]:
    found = section(made)
    assert found is not None
    columns = found.table.columns[1:]
    return found, {row[0]: dict(zip(columns, row[1:], strict=True)) for row in found.table.rows}


def test_there_is_no_section_where_nothing_was_studied() -> None:
    assert section(report()) is None


def test_the_limit_is_what_takes_longer() -> None:
    made = studied(torchscript={"bytes": 2_032 * MB})
    _, rows = shown(made)
    median = {v.name: v.p50.value for v in figures(made).variants}
    onnx, script = rows["ONNX Runtime"], rows["TorchScript"]
    assert (onnx["Operations, 10⁹"], onnx["Bytes, 10⁶"], onnx["Operations a byte"]) == (
        "8.20",
        "102",
        "80.4",
    )
    assert median["ONNX Runtime"] is not None
    assert float(onnx["Reached, 10⁹/s"]) == pytest.approx(8200 / median["ONNX Runtime"], rel=0.01)
    assert (onnx["Limit, 10⁹/s"], onnx["What limits"]) == ("500", "arithmetic")
    assert onnx["Of the limit"] == f"{100 * 16.4 / median['ONNX Runtime']:.0f} %"
    assert onnx["Distance"] == "some way from the limit"
    assert script["What limits"] == "memory", "2,000 MB beyond the cache take 100 ms"
    assert script["Limit, 10⁹/s"] == "82.0"


def test_each_kind_of_operation_has_its_own_pace() -> None:
    made = studied(onnx={"float_operations": 200 * MB, "int8_operations": 8_000 * MB})
    found, rows = shown(made)
    assert rows["ONNX Runtime"]["Limit, 10⁹/s"] == f"{8200 / 4.4:,.0f}".replace(",", ""), (
        "0.4 ms in float and 4 ms in 8 bits"
    )
    names = [one.name for one in found.plots[0].series if one.dashed]
    assert names == ["Limit in float", "Limit in 8 bits"]


def test_faster_than_the_roof_is_flagged_in_the_table_the_notes_and_the_words() -> None:
    made = studied(onnx={"float_operations": 25_000 * MB})
    found, rows = shown(made)
    assert rows["ONNX Runtime"]["Distance"] == IMPOSSIBLE, "50 ms of arithmetic in 35 ms"
    assert "ONNX Runtime is faster than the roof" in found.notes[0]
    assert IMPOSSIBLE in found.plots[0].alt
    assert rows["TorchScript"]["Distance"] != IMPOSSIBLE
    assert not any("faster than the roof" in note for note in shown(studied())[0].notes)


def test_what_fits_into_the_cache_is_not_limited_by_memory() -> None:
    found, rows = shown(studied(onnx={"bytes": 2 * MB, "float_operations": 2 * MB}))
    assert rows["ONNX Runtime"]["What limits"] == "arithmetic"
    assert any("fits into the 30.5 MiB cache" in n and "ONNX Runtime" in n for n in found.notes)
    unknown = studied(onnx={"bytes": 2 * MB, "float_operations": 2 * MB, "cache_bytes": None})
    assert shown(unknown)[1]["ONNX Runtime"]["What limits"] == "memory"


def test_the_plot_is_the_classical_one() -> None:
    found, _ = shown(studied())
    (plot,) = found.plots
    assert plot.x_log and plot.y_log and plot.kind == "points"
    limit, *marks = plot.series
    assert limit.dashed
    assert limit.x[1] == 25.0, "the bend: 500 over 20"
    assert limit.y == pytest.approx([20.0 * float(limit.x[0]), 500.0, 500.0])
    assert [mark.x for mark in marks] == [(pytest.approx(8200 / 102),)] * 3
    for mark in marks:
        assert mark.low[0] < mark.y[0] < mark.high[0]  # type: ignore[operator]  # all are known
    assert marks[1].name.startswith("ONNX Runtime: 4")
    said = "ONNX Runtime is some way from the limit, 47 % of it"
    assert said in plot.alt
    assert any(said in note for note in found.notes), "words to see as well"


def test_a_count_of_another_graph_is_said() -> None:
    _, rows = shown(studied(torchscript={"counted_on": "onnx-b1-t2"}))
    assert rows["TorchScript"]["Counted on"] == "ONNX Runtime"
    assert rows["ONNX Runtime"]["Counted on"] == "its own graph"


def test_nothing_is_divided_by_nothing() -> None:
    nothing = {"float_operations": 0}
    assert section(studied(torch=nothing, onnx=nothing, torchscript={"bytes": 0})) is None


def test_exports_hold_the_section() -> None:
    made = studied(onnx={"float_operations": 25_000 * MB})
    assert "impossible: faster than the roof" in export_markdown(made)
    assert "Distance from the machine" in export_html(made)
