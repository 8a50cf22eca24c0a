"""How a test opens a page: through the real entry, as a browser does."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.components import state
from tests.conftest import Library

ROOT = Path(__file__).resolve().parents[2]

OpenPage = Callable[..., AppTest]


def opened(name: str, **params: str) -> AppTest:
    """``opened("report", id="…")``: the page of that name, run once with those parameters."""
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=30)
    app.run()
    app.switch_page(str(ROOT / "pages" / f"{name}.py"))
    for key, value in params.items():
        app.query_params[key] = value
    return app.run()


@pytest.fixture
def open_page(workspace: Path) -> OpenPage:
    """Open pages over an empty data folder."""
    return opened


@pytest.fixture
def open_done(library: Library) -> OpenPage:
    """Open pages over the data folder in which the whole job has been done once."""
    return opened


def words(app: AppTest) -> str:
    """What a person can read on the page, an element a line."""
    kinds = ("title", "header", "subheader", "markdown", "text", "caption", "success", "info")
    more = ("warning", "error", "code")
    return "\n".join(str(item.value) for kind in (*kinds, *more) for item in app.get(kind))


def tables(app: AppTest) -> list[list[dict[str, str]]]:
    """Every table to read on the page: its rows, each cell by the name of its column."""
    found = []
    for item in app.markdown:
        lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in item.value.splitlines()]
        if item.value.startswith("| "):
            names, _, *rows = [[cell.strip() for cell in line] for line in lines]
            found.append([dict(zip(names, row, strict=True)) for row in rows])
    return found


def click(app: AppTest, label: str) -> AppTest:
    """Press the button of that label and run the page, as the frame would.

    AppTest runs a page's file by itself; without the mark its guard would start it a second time
    and the press would be lost.
    """
    app.session_state[state.SHELL_RAN] = True
    return next(button for button in app.button if button.label == label).click().run()
