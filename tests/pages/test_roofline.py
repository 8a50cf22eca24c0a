"""The roofline on the Report page."""

from __future__ import annotations

import pytest

from engine.reports.sections.roofline import section
from engine.store import reports as library
from pages.components import sections
from tests.engine.reports.test_section_roofline import MB, studied
from tests.pages.conftest import OpenPage, words


@pytest.mark.parametrize("dark", [False, True])
def test_limits_are_told_apart_and_ticks_are_round(dark: bool) -> None:
    found = section(studied(onnx={"float_operations": 200 * MB, "int8_operations": 8_000 * MB}))
    assert found is not None
    chart = sections.chart(found.plots[0], found.table, dark=dark)
    limits = [trace for trace in chart.figure.data if trace.name.startswith("Limit")]
    assert [trace.line.dash for trace in limits] == ["dash", "dot"], "not by colour alone"
    marks = [trace for trace in chart.figure.data if trace not in limits]
    assert len({trace.marker.symbol for trace in marks}) == len(marks) == 3
    assert {trace.mode for trace in marks} == {"markers"}
    layout = chart.figure.layout
    assert (layout.xaxis.type, layout.yaxis.type) == ("log", "log")
    assert set(layout.xaxis.ticktext) <= {"10", "20", "50", "100", "200", "500"}
    assert chart.alt.startswith("Speed beside the machine's limit: ")
    assert len(chart.table.rows) == 3


def test_the_report_says_what_is_impossible(open_page: OpenPage) -> None:
    made = studied(onnx={"float_operations": 25_000 * MB})
    library.save(made)
    app = open_page("report", id=made.id)
    assert not app.exception
    text = words(app)
    assert "Distance from the machine" in text
    assert "faster than the roof" in text
