"""The Convert page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine import store
from engine.verify.model import LanguageComparison, Verdict
from pages.components import state
from tests.conftest import Library
from tests.engine.store.conftest import a_verification
from tests.models import stored_writer
from tests.pages.conftest import OpenPage, click, opened, tables, words


def test_without_a_model_it_says_where_to_go(open_page: OpenPage) -> None:
    app = open_page("convert")
    assert not app.exception
    assert "No model has been brought yet." in words(app)


def test_an_unknown_model_is_said(open_done: OpenPage) -> None:
    app = open_done("convert", model="0000000000000000")
    assert not app.exception
    assert "There is no such model" in words(app)


def test_it_shows_what_was_made_with_its_verdict(open_done: OpenPage, library: Library) -> None:
    app = open_done("convert", model=library.model_id)
    assert not app.exception
    _, verification = store.artifacts.load(library.artifact_ids[0])
    assert verification is not None
    assert verification.sentence in words(app)
    assert "ONNX" in words(app)


def test_converting_puts_the_job_into_the_url(open_done: OpenPage, library: Library) -> None:
    app = open_done("convert", model=library.model_id)
    click(app, "Convert and verify")
    assert not app.exception
    job = app.query_params["job"]
    assert store.jobs.load(job).kind == "convert"
    assert "Cancel" in [button.label for button in app.button]


def test_cancelling_a_queued_job_ends_it(open_done: OpenPage, library: Library) -> None:
    app = open_done("convert", model=library.model_id)
    click(app, "Convert and verify")
    click(app, "Cancel")
    assert "Cancelled" in words(app)


def test_a_language_models_figures_stand_on_its_card(workspace: Path) -> None:
    model = stored_writer(workspace / "models" / "writer")
    made = replace(model.artifact, id="made", variant="Q4_0")
    read = LanguageComparison("", 1020, 0.0041, 0.02, 924, (0.886, 0.922), 351.4, 349.7, (0.98, 1))
    judged = replace(a_verification("made", Verdict.DEGRADED), language=read)
    store.artifacts.save(made, model.id)
    store.artifacts.save_verification(judged)
    app = opened("convert", model=model.id)
    assert not app.exception
    rows = tables(app)[0]
    assert [row["Found"] for row in rows] == [
        "0.0041 nats",
        "90.6 % [88.6, 92.2]",
        "0.9952 × [0.98, 1]",
    ]
    assert [row["Usable"] for row in rows] == ["up to 0.2", "from 75 %", "up to 1.2"]
    assert "1,020 places" in words(app)


def test_values_stand_under_the_headings_their_format_gives(workspace: Path) -> None:
    model = stored_writer(workspace / "models" / "writer")
    app = opened("convert", model=model.id)
    app.button_group(key=state.TARGETS).set_value(["gguf"]).run()
    assert not app.exception
    shown = {group.label: group for group in app.button_group}
    assert shown["Not quantized"].value == ["F32"]
    assert "Q4_K_M · 4.84 bits" in shown["K-quants"].options
    assert "Q4_K_M is the usual choice" in words(app)
    app.session_state[state.SHELL_RAN] = True
    shown["Not quantized"].unselect("F32")
    shown["K-quants"].set_value(["Q4_K_M", "Q2_K"])
    click(app, "Convert and verify")
    title = store.jobs.load(app.query_params["job"]).title
    assert "GGUF (type Q4_K_M), GGUF (type Q2_K)" in title
