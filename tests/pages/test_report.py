"""The Report page, opened as a browser opens it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import plotly.graph_objects as go
import pytest
from streamlit.testing.v1 import AppTest

import engine
from engine.store import reports as library
from pages.components import charts, forest, state
from tests.engine.reports.made import renamed, report
from tests.engine.reports.test_export import HOSTILE

OpenPage = Callable[..., AppTest]


def words(app: AppTest) -> str:
    """Everything a person can read on the page, one element a line."""
    kinds = ("title", "markdown", "text", "caption", "info", "warning", "error", "code")
    return "\n".join(str(item.value) for kind in kinds for item in app.get(kind))


def test_title_and_verdict_come_first(open_page: OpenPage) -> None:
    library.save(report())
    app = open_page("report", id=report().id)
    assert not app.exception
    assert app.title[0].value.replace("\\", "") == report().title
    found = engine.figures(report())
    assert found.headline.split(":")[0].split(" [")[0] in app.markdown[0].value
    text = words(app)
    assert "Recommendation confirmed" in text
    assert report().reproduce in text
    shown = len(app.dataframe)
    behind = [box.label for box in app.expander if box.label.startswith("The figures behind")]
    assert behind.count("The figures behind both charts") == 2, "two charts, one table"
    assert behind.count("The figures behind this chart") == 3, "the run, latency and memory printed"
    app.session_state["distribution-figures"] = True
    app.session_state[state.SHELL_RAN] = True
    assert len(app.run().dataframe) == shown + 1, "an opened expander draws its table"


def test_what_was_not_measured_is_said(open_page: OpenPage) -> None:
    library.save(replace(report(), measurement=None, failures={"GGUF": "No route."}))
    app = open_page("report", id=report().id)
    assert not app.exception
    text = words(app)
    assert "Nothing was measured" in text
    assert "No route" in text


def test_a_shared_report_opens_by_its_token_and_cannot_be_shared_on(open_page: OpenPage) -> None:
    library.save(report())
    token = engine.share(report().id, 7).token
    app = open_page("report", share=token)
    assert not app.exception
    assert app.title[0].value.replace("\\", "") == report().title
    assert "Share" not in [button.label for button in app.button]


def test_the_owner_makes_a_link_and_revokes_it(workspace: Path) -> None:
    def dialog() -> None:
        from pages.components import sharing

        sharing.dialog("0123456789abcdef")

    library.save(report())
    app = AppTest.from_function(dialog, default_timeout=30).run()
    app.selectbox[0].select("1 day").run()
    app.button[0].click().run()
    assert not app.exception
    page, interactive = (str(item.value) for item in app.code)
    token = page.rpartition("/r/")[2]
    assert interactive.endswith(f"/report?share={token}")
    assert engine.shared(token) == report()
    (made,) = engine.shares_of(report().id)
    assert made.expires_at is not None
    engine.revoke(made.id)
    app.run()
    assert any("revoked" in item.value for item in app.text)
    with pytest.raises(engine.NotFound):
        engine.shared(token)


@pytest.mark.parametrize("query", [{"id": "nothing"}, {"share": "nothing"}, {}])
def test_an_address_that_leads_nowhere_says_where_to_go(
    open_page: OpenPage, query: dict[str, str]
) -> None:
    app = open_page("report", **query)
    assert not app.exception
    assert len(app.error) + len(app.info) == 1
    assert [title.value for title in app.title] == ["Report"]


def test_hostile_names_stay_text(open_page: OpenPage) -> None:
    made = renamed(report(), HOSTILE)
    library.save(made)
    app = open_page("report", id=made.id)
    assert not app.exception
    assert "\\<img" in app.title[0].value
    assert all("[x](" not in item.value.replace("\\]", "") for item in app.markdown)


@pytest.mark.parametrize("dark", [False, True])
def test_every_chart_has_words_and_a_table(dark: bool) -> None:
    found = engine.figures(renamed(report(), HOSTILE))
    assert found.forest is not None
    against = engine.against(renamed(report(), HOSTILE), found.variants, "onnx-b1-t2")
    assert against.forest is not None
    drawn = [
        forest.chart(against.forest, against.verdicts, dark=dark),
        forest.chart(found.forest, found.verdicts, dark=dark),
        charts.latency(found, dark=dark),
        charts.memory(found, dark=dark),
        charts.sizes(found, dark=dark),
        charts.distribution(found, dark=dark),
        charts.run_order(found, dark=dark),
        charts.reference(found, 0, dark=dark),
    ]
    for chart in drawn:
        assert isinstance(chart.figure, go.Figure)
        assert len(chart.alt) > 30
        assert len(chart.table.rows)
        assert "<img" not in chart.figure.to_json()


def test_the_forest_shades_the_band_that_verdicts_were_drawn_with() -> None:
    found = engine.figures(report({"torch": 70.0, "onnx": 35.0, "torchscript": 70.0}))
    assert found.forest is not None
    chart = forest.chart(found.forest, found.verdicts, dark=True)
    band = chart.figure.layout.shapes[0]
    delta = report().measurement.plan.preset.delta  # type: ignore[union-attr]  # it was measured
    assert (band.x0, band.x1) == pytest.approx((1 / (1 + delta), 1 + delta))
    marks = {trace.name: trace for trace in chart.figure.data}
    assert set(marks) == {"ONNX Runtime", "TorchScript"}, "the original is the line, not a mark"
    assert len({mark.marker.symbol for mark in marks.values()}) == 2, "not by colour alone"
    alone = engine.figures(report({"torch": 70.0}))
    assert alone.forest is None


def test_the_printed_table_has_a_panel_of_its_own() -> None:
    figure = charts.reference(engine.figures(report()), 0, dark=False).figure
    panels = {(trace.xaxis, bool(trace.marker.pattern.shape)) for trace in figure.data}
    assert panels == {("x", False), ("x2", True)}


def test_the_palettes_are_told_apart_without_colour() -> None:
    figure = charts.distribution(engine.figures(report()), dark=False).figure
    assert len({trace.line.dash for trace in figure.data}) == len(figure.data)


def test_the_address_holds_what_everything_is_compared_against(open_page: OpenPage) -> None:
    library.save(report())
    app = open_page("report", id=report().id)
    (selector,) = app.selectbox
    assert selector.value == "torch-b1-t2"
    assert selector.options == ["PyTorch (eager), original", "ONNX Runtime", "TorchScript"]
    app.session_state[state.SHELL_RAN] = True
    selector.select("TorchScript").run()
    assert not app.exception
    assert app.query_params["baseline"] == "torchscript-b1-t2"
    assert "as fast as TorchScript" in words(app)

    again = open_page("report", id=report().id, baseline="torchscript-b1-t2")
    assert again.selectbox[0].value == "torchscript-b1-t2"
    speeds = again.dataframe[0].value
    assert list(speeds["Speed against TorchScript"])[2] == "1× (TorchScript)"
    again.session_state[state.SHELL_RAN] = True
    again.selectbox[0].select("PyTorch (eager), original").run()
    assert "baseline" not in again.query_params, "the original needs no word in the address"
    assert "as fast as the original" in words(again)


def test_a_baseline_that_is_not_there_is_said(open_page: OpenPage) -> None:
    library.save(report())
    app = open_page("report", id=report().id, baseline="nothing-b1")
    assert not app.exception
    assert "Shown against the original" in words(app)
    assert app.selectbox[0].value == "torch-b1-t2"
