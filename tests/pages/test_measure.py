"""The Measure page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import engine
from engine import ImportRequest, JobState, registry, store
from engine.jobs import waiting
from engine.jobs.steps import DirectSteps
from engine.pipeline import import_model
from pages.components import live, state
from tests.conftest import Library, ignore
from tests.gguf_files import write_llama
from tests.models import onnx_model
from tests.pages.conftest import OpenPage, click, words


def test_without_a_model_it_says_where_to_go(open_page: OpenPage) -> None:
    app = open_page("measure")
    assert not app.exception
    assert "No model has been brought yet." in words(app)


def test_verified_artifacts_can_be_measured(open_done: OpenPage, library: Library) -> None:
    app = open_done("measure", model=library.model_id)
    assert not app.exception
    click(app, "Measure")
    assert not app.exception
    assert store.jobs.load(app.query_params["job"]).kind == "measure"


def test_a_model_that_reaches_nothing_is_measured_alone(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_open_edges", lambda *_: ())
    onnx_model(tmp_path / "net.onnx", [("Relu", ["x"], ["y"])])
    kept = engine.save_upload("net.onnx", (tmp_path / "net.onnx").read_bytes())
    brought = import_model(DirectSteps("import", ignore), ImportRequest("upload", kept.id))
    app = open_page("measure", model=brought["model_id"])
    assert "measured alone" in words(app)
    click(app, "Measure")
    assert not app.exception
    assert store.jobs.load(app.query_params["job"]).kind == "measure"


def test_a_language_model_is_asked_for_tokens_at_a_length_of_its_own(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_open_edges", lambda *_: ())
    path = write_llama(tmp_path / "model.gguf")
    kept = engine.save_upload("model.gguf", path.read_bytes())
    brought = import_model(DirectSteps("import", ignore), ImportRequest("upload", kept.id))
    app = open_page("measure", model=brought["model_id"])
    app.checkbox(key=f"{state.STUDY}tokens").check()
    own = next(box for box in app.number_input if box.label.startswith("Length of your own"))
    own.set_value(40)
    click(app, "Measure")
    assert not app.exception
    request = store.jobs.load(app.query_params["job"]).request
    assert request["studies"] == ["tokens"]
    assert request["prompt_tokens"] == 40


def test_no_length_is_asked_of_what_reads_no_tokens(open_done: OpenPage, library: Library) -> None:
    app = open_done("measure", model=library.model_id)
    assert not [box for box in app.number_input if "prompts" in box.label]
    assert f"{state.STUDY}tokens" not in [box.key for box in app.checkbox]


def growing() -> dict[str, Any]:
    """A measurement in its second round, as the host shows it."""
    row = {"key": "a", "label": "PyTorch", "batch": 1, "threads": 2, "processes": 2}
    row |= {"p50_ms": 10.04, "low_ms": 9.9, "high_ms": 10.2, "blocks_ms": [10, 10.1], "grade": ""}
    waiting = row | {"key": "b", "label": "<b>ONNX", "processes": 0, "p50_ms": None}
    return {
        "round": 2,
        "rounds": 12,
        "seconds_left": 240,
        "to_come": [],
        "restless": ["the load was 3.0 on 2 CPUs (at most 1)"],
        "noise": "D",
        "variants": [row, waiting | {"low_ms": None, "high_ms": None}],
        "strip": [[0, 10.0, 0], [0, 10.1, 1]],
    }


def test_a_measurement_is_seen_to_grow(open_done: OpenPage, library: Library) -> None:
    store.jobs.add("growing", "measure", "Measure digits", {})
    store.jobs.start("growing")
    store.jobs.progress("growing", (), {"live": growing()})
    try:
        app = open_done("measure", model=library.model_id, job="growing")
        assert not app.exception
        said = words(app)
        assert "Round 2 of 12 · about 4 min left" in said
        assert "noise: D" in said
        assert "Noisy machine: the load was 3.0" in said
        assert any(button.label == "Cancel" for button in app.button)
    finally:
        store.jobs.finish("growing", JobState.CANCELLED)


def test_before_the_times_it_is_told_how_far_memory_is(
    open_done: OpenPage, library: Library
) -> None:
    found = {"done": 2, "total": 6, "seconds_left": 31, "to_come": ["the times", "Cold start"]}
    store.jobs.add("weighing", "measure", "Measure digits", {})
    store.jobs.start("weighing")
    store.jobs.progress("weighing", (), {"weighing": found})
    try:
        app = open_done("measure", model=library.model_id, job="weighing")
        assert not app.exception
        after = "then: the times, Cold start"
        assert f"Memory: 2 of 6 weighed · about 30 s left, {after}" in words(app)
    finally:
        store.jobs.finish("weighing", JobState.CANCELLED)
    assert live.weighed(found | {"done": 6}).endswith(f"6 of 6 weighed, {after}")


def test_the_strip_has_a_mark_a_process_and_hollow_ones_for_discarded_rounds() -> None:
    figure = live.strip(growing(), dark=False)
    assert list(figure.data[0].y) == [10.0, 10.1]
    assert list(figure.data[0].marker.symbol) == ["circle", "circle-open"]
    assert "<b>" not in figure.data[1].name
    assert live.alt(growing()) == (
        "2 processes so far in the order they ran, 1 of them discarded. "
        "Medians: PyTorch 10 [9.9, 10.2] ms."
    )
    assert live.TICK_S >= 1


def test_a_second_measurement_waits_its_turn_and_says_so() -> None:
    for name in ("first", "second", "third"):
        store.jobs.add(name, "measure", f"Measure {name}", {})
    store.jobs.add("other", "convert", "Convert", {})
    try:
        rows = {name: store.jobs.load(name) for name in ("first", "second", "third", "other")}
        assert waiting.behind(rows["first"]) == waiting.behind(rows["other"]) == ""
        assert "1 job has this machine first (Measure first" in waiting.behind(rows["second"])
        assert "2 jobs have this machine first (Measure second" in waiting.behind(rows["third"])
    finally:
        for name in ("first", "second", "third", "other"):
            store.jobs.finish(name, JobState.CANCELLED)
