"""The library of reports."""

from __future__ import annotations

import engine
from tests.conftest import Library
from tests.pages.conftest import OpenPage, click, words


def test_an_empty_library_says_what_to_do(open_page: OpenPage) -> None:
    app = open_page("reports")
    assert not app.exception
    assert "No report yet" in words(app)


def test_the_newest_result_is_listed(open_done: OpenPage, library: Library) -> None:
    app = open_done("reports")
    assert not app.exception
    assert engine.report(library.report_id).title in words(app)


def test_a_filter_that_matches_nothing_says_so(open_done: OpenPage) -> None:
    app = open_done("reports")
    app.text_input[0].set_value("no such model").run()
    assert "No report matches" in words(app)


def test_deleting_asks_first(open_done: OpenPage, library: Library) -> None:
    app = open_done("reports")
    click(app, "Delete")
    assert not app.exception
    assert "The report is removed for good" in words(app)
    assert engine.report(library.report_id).id == library.report_id
