"""The Compare page: its address, what is lined up, and what it never says."""

from __future__ import annotations

from dataclasses import replace

import plotly.graph_objects as go
import pytest

import engine
from engine.bench.model import Environment
from engine.store import reports as library
from pages.components import charts, forest, state
from tests.engine.reports.made import renamed, report
from tests.engine.reports.test_export import HOSTILE
from tests.pages.conftest import OpenPage, click, words

A = report()


def of_another_machine(id_: str = "b" * 16) -> engine.Report:
    made = report({"torch": 140.0, "onnx": 45.0, "torchscript": 120.0})
    assert made.measurement is not None
    there = Environment({"Processor": "Another CPU"}, {"torch": "2.13.0", "numpy": "2.5"})
    return replace(
        made, id=id_, title="Elsewhere", measurement=replace(made.measurement, environment=there)
    )


def test_without_reports_it_says_what_to_do(open_page: OpenPage) -> None:
    app = open_page("compare")
    assert not app.exception
    assert "Pick the reports" in words(app)


def test_the_address_holds_the_choice(open_page: OpenPage) -> None:
    library.save(A)
    library.save(of_another_machine())
    app = open_page("compare", reports=f"{A.id},{'b' * 16}", baseline="onnx")
    assert not app.exception
    assert app.multiselect[0].value == [A.id, "b" * 16]
    assert app.selectbox[0].value == "onnx"
    text = words(app)
    assert "Not the same hardware" in text
    assert "larger ratio than in A" in text or "smaller ratio than in A" in text
    app.session_state[state.SHELL_RAN] = True
    app.selectbox[0].select("TorchScript").run()
    assert app.query_params["baseline"] == "torchscript"
    app.session_state[state.SHELL_RAN] = True
    app.multiselect[0].unselect("b" * 16).run()
    assert not app.exception
    assert app.query_params["reports"] == A.id
    assert "One report alone" in words(app)
    again = open_page("compare", reports=app.query_params["reports"], baseline="torchscript")
    assert again.multiselect[0].value == [A.id]
    assert again.selectbox[0].value == "torchscript"


def test_figures_are_lined_up_a_column_a_report(open_page: OpenPage) -> None:
    library.save(A)
    library.save(of_another_machine())
    app = open_page("compare", reports=f"{A.id},{'b' * 16}")
    card, ratios, latency = (frame.value for frame in app.dataframe[:3])
    assert list(card["Fact"]) == ["Processor", "numpy"], "only what differs"
    assert list(ratios.columns) == [
        "Variant",
        "A, machine 1",
        "B, machine 2",
        "Beside each other",
    ]
    assert list(latency["Variant"]) == ["PyTorch (eager), original", "ONNX Runtime", "TorchScript"]
    assert latency["B, machine 2"][0].startswith("140")
    assert len(app.dataframe) == 6, "throughput, memory and size follow"


def test_what_is_not_there_is_said_and_the_rest_shown(open_page: OpenPage) -> None:
    library.save(A)
    app = open_page("compare", reports=f"{A.id},gone", baseline="gguf")
    assert not app.exception
    text = words(app)
    assert "gone: There is no such report" in text
    assert "usual baseline" in text
    assert app.selectbox[0].value == "torch"


def test_more_than_fit_are_cut_in_words(open_page: OpenPage) -> None:
    ids = [f"{place}" * 16 for place in range(7)]
    for id_ in ids:
        library.save(replace(A, id=id_))
    app = open_page("compare", reports=",".join(ids))
    assert not app.exception
    assert "the first 6 are shown" in words(app)
    assert len(app.multiselect[0].value) == 6


def test_reports_are_ticked_and_carried_over(open_page: OpenPage) -> None:
    library.save(A)
    library.save(of_another_machine())
    app = open_page("reports")
    button = next(one for one in app.button if "Tick two" in one.label)
    assert button.disabled
    for box in app.checkbox:
        app.session_state[state.SHELL_RAN] = True
        box.check()
    app.run()
    assert "Compare 2 reports" in [one.label for one in app.button]
    assert state.link(reports=[A.id, "b" * 16]) == {"reports": f"{A.id},{'b' * 16}"}


def test_a_report_leads_to_its_comparison(open_page: OpenPage) -> None:
    library.save(A)
    app = open_page("report", id=A.id)
    assert "Compare" in [one.label for one in app.button]
    click(app, "Compare")
    assert not app.exception
    assert app.title[0].value == "Compare"
    assert app.multiselect[0].value == [A.id]


def test_hostile_names_stay_text(open_page: OpenPage) -> None:
    made = renamed(A, HOSTILE)
    library.save(made)
    app = open_page("compare", reports=made.id)
    assert not app.exception
    assert all("[x](" not in item.value.replace("\\]", "") for item in app.markdown)


@pytest.mark.parametrize("dark", [False, True])
def test_the_charts_have_words_and_a_table_and_a_panel_a_machine(dark: bool) -> None:
    found = engine.compare((renamed(A, HOSTILE), of_another_machine(), replace(A, id="c" * 16)))
    assert found.forest is not None
    latency = charts.side_by_side(found, dark=dark)
    for chart in (latency, forest.chart(found.forest, found.ratios, dark=dark)):
        assert isinstance(chart.figure, go.Figure)
        assert len(chart.alt) > 30
        assert chart.table.rows
        assert "<img" not in chart.figure.to_json()
    machines = len({one.machine for one in found.reports})
    assert len({trace.xaxis for trace in latency.figure.data}) == machines == 3
    together = engine.compare((A, replace(A, id="c" * 16)))
    panel = charts.side_by_side(together, dark=dark).figure
    assert {trace.xaxis for trace in panel.data} == {"x"}
    assert "ONNX Runtime · B" in {trace.name for trace in panel.data}
