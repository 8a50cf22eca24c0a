"""The folds of a card on Convert: why it is not faster, and which layers lose quality."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from engine import store
from engine.store.findings import EXPLANATION, SEARCH, SENSITIVITY
from engine.tuning.model import (
    Confirmation,
    Explanation,
    Goal,
    LayerError,
    Machine,
    OperatorTime,
    Profile,
    Search,
    Sensitivity,
    Trial,
)
from engine.types import Change
from pages.components import layers, slowness, state
from tests.models import stored_writer
from tests.pages.conftest import click, opened, words

MACHINE = Machine("A processor", 1, 50.0, 200.0, 10.0)
PROFILE = Profile("made", "ONNX INT8", 9, 10.0, 0.2, (OperatorTime("QGemm", "int8", 1, 1.0),))
FOUND = Explanation(
    "made", MACHINE, {"AVX2": True}, "none", PROFILE, None, 1, (), 0.0, ("It takes 10 ms.",)
)
LAYERS = Sensitivity(
    "made",
    "plain",
    8,
    "digits",
    "given",
    (
        LayerError("n1", "Conv", "first", 1, 40.0, 41.0),
        LayerError("n2", "Gemm", "last", 2, 15.0, 16.0),
    ),
    (),
)
TRIALS = (
    Trial((), "made", 10**6, 90.0, False, 1.0),
    Trial(("last",), "better", 10**6, 99.5, True, 2.0),
)
SEARCHED = Search(
    "made",
    Goal("agreement", 99.0),
    "digits",
    TRIALS,
    "better",
    "onnx+int8-static:exclude=n2",
    "With 1 layer left in float the goal is met.",
    "the calibration part of digits",
    Confirmation("360 images of digits", 99.2, (97.5, 99.8), met=True),
)


@pytest.fixture
def card(workspace: Path) -> AppTest:
    """Convert, with the card of one calibrated artifact."""
    model = stored_writer(workspace / "models" / "writer")
    made = replace(
        model.artifact, id="made", format="onnx", variant="INT8", passes=(Change("int8-static"),)
    )
    store.artifacts.save(made, model.id)
    return opened("convert", model=model.id)


def unfolded(app: AppTest, prefix: str) -> AppTest:
    app.session_state[state.SHELL_RAN] = True
    app.session_state[f"{prefix}made"] = True
    return app.run()


def test_what_nobody_looked_into_offers_the_look(card: AppTest) -> None:
    app = unfolded(card, state.SLOWNESS)
    assert not app.exception
    assert "run under its runtime's profiler" in words(app)
    click(app, "Find out")
    assert not app.exception
    assert store.jobs.load(app.query_params["job"]).kind == "explain"


def test_an_explanation_is_read_and_drawn(card: AppTest) -> None:
    store.findings.save("made", EXPLANATION, FOUND)
    app = unfolded(card, state.SLOWNESS)
    assert not app.exception
    assert "It takes 10 ms." in words(app)
    assert "Look again" in [button.label for button in app.button]
    assert len(app.get("plotly_chart")) == 1


def test_layers_and_the_search_stand_on_the_card(card: AppTest) -> None:
    store.findings.save("made", SENSITIVITY, LAYERS)
    store.findings.save("made", SEARCH, SEARCHED)
    app = unfolded(card, state.LAYERS)
    assert not app.exception
    said = words(app)
    assert "It diverges first at depth 2 of 2, last (Gemm): 15.0 dB" in said
    assert "With 1 layer left in float the goal is met." in said
    assert '--to "onnx+int8-static:exclude=n2"' in said
    assert len(app.get("plotly_chart")) == 2


def test_without_labels_accuracy_is_no_goal(card: AppTest) -> None:
    app = unfolded(card, state.LAYERS)
    goals = next(box for box in app.selectbox if box.label == "Goal")
    assert goals.options == [
        "Same answer as the original, at least",
        "SQNR of the outputs, at least",
    ]


def test_the_charts_say_what_they_show_and_hold_their_figures() -> None:
    for dark in (False, True):
        depth = layers.by_depth(LAYERS, dark=dark)
        assert [list(trace.y) for trace in depth.figure.data] == [[40.0, 15.0], [41.0, 16.0]]
        assert depth.table.rows[1] == ("2", "n2", "Gemm", "last", "15.0", "16.0")
        steps = layers.of_trials(SEARCHED, dark=dark)
        assert list(steps.figure.data[0].marker.symbol) == ["circle-open", "circle"]
        assert "the dashed line at 99 %" in steps.alt
        assert "Every try on the calibration part of digits" in steps.alt
        time = slowness.chart(FOUND, dark=dark)
        assert {trace.name: trace.x[0] for trace in time.figure.data} == {
            "INT8 kernels": 8.0,
            "Outside operators": 2.0,
        }
