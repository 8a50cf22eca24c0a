"""The Convert page."""

from __future__ import annotations

from engine import store
from tests.conftest import Library
from tests.pages.conftest import OpenPage, click, words


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
