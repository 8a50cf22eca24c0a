"""The graph viewer in a real browser: it draws, and it calls nobody."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import SHOTS, serving

pytestmark = pytest.mark.browser


def test_a_graph_is_drawn_and_nobody_is_called(page: Page, library: Any) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with serving(library.data) as url:
        page.goto(f"{url}/viewer/artifact/{library.artifact_ids[0]}/")
        page.get_by_text("Gemm", exact=True).wait_for()
        page.get_by_text("batch×10").first.wait_for()
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SHOTS / "graph.png")
    assert asked and all(one.startswith(url) for one in asked)
