"""How a test opens a page: through the real entry, as a browser does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[2]

OpenPage = Callable[..., AppTest]


@pytest.fixture
def open_page(workspace: Path) -> OpenPage:
    """``open_page("report", id="…")``: the page of that name, run once with those parameters."""

    def opened(name: str, **params: str) -> AppTest:
        app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=30)
        app.run()
        app.switch_page(str(ROOT / "pages" / f"{name}.py"))
        for key, value in params.items():
            app.query_params[key] = value
        return app.run()

    return opened
