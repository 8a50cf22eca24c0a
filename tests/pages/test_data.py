"""Data on the Convert page: brought, looked at, picked, and what is said without it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import engine
from engine import pipeline, store
from engine.data.model import Dataset
from engine.jobs.steps import DirectSteps
from engine.quality.model import Quality
from pages.components import data, state
from tests.conftest import Library, ignore
from tests.pages.conftest import OpenPage, click, words


@pytest.fixture
def digits(library: Library) -> Iterator[Dataset]:
    """The digits, made ready, and forgotten again."""
    request = pipeline.DataRequest(library.model_id, "builtin", "digits")
    made = store.data.load(pipeline.prepare_data(DirectSteps("page", ignore), request)["data_id"])
    yield made
    store.data.delete(made.id)


def test_data_of_ours_is_offered_where_it_fits(open_done: OpenPage, library: Library) -> None:
    app = open_done("convert", model=library.model_id)
    assert not app.exception
    app.session_state[state.SHELL_RAN] = True
    app.session_state[f"{state.DATA}bring"] = True
    app.run()
    assert "the 360 it has never seen judge" in words(app)
    click(app, "Use Digits")
    assert store.jobs.load(app.query_params["job"]).kind == "data"
    engine.cancel(app.query_params["job"])


def test_what_is_there_is_picked_shown_and_part_of_the_request(
    open_done: OpenPage, library: Library, digits: Dataset
) -> None:
    app = open_done("convert", model=library.model_id)
    assert not app.exception
    app.session_state[state.SHELL_RAN] = True
    app.session_state[f"{state.DATA}look_{digits.id}"] = True
    said = words(app.run())
    assert "1,437 samples to calibrate on, 360 others to judge by, 10 classes" in said
    picker = next(box for box in app.selectbox if box.label == "Data")
    assert picker.value == digits.id
    click(app, "Convert and verify")
    assert "job" in app.query_params, words(app)
    assert store.jobs.load(app.query_params["job"]).request["data_id"] == digits.id
    engine.cancel(app.query_params["job"])


def test_a_pass_without_its_data_says_what_it_reads_instead() -> None:
    target = engine.parse_target("onnx+int8-dynamic")
    assert data.missing((target,)) == [], "it wants none"
    assert all("{" not in data.WITHOUT[wants].format(label="x") for wants in data.WITHOUT)


def test_an_artifact_says_how_good_it_is(open_done: OpenPage, library: Library) -> None:
    artifact_id = library.artifact_ids[0]
    labels, answers = (0, 1, 2, 3), (0, 1, 2, 2)
    judged = Quality(artifact_id, "d", "pets", "0", "images", 4, 4, labels, labels, answers)
    store.artifacts.save_quality(judged)
    app = open_done("convert", model=library.model_id)
    assert "Accuracy 100.0 % → 75.0 %" in words(app)
    assert "4 images of pets" in words(app)
