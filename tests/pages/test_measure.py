"""The Measure page."""

from __future__ import annotations

from engine import store
from tests.conftest import Library
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
