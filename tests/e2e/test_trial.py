"""Try it in a real browser: the answer arrives while it is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from engine.settings import settings
from tests.e2e.conftest import serving
from tests.e2e.test_journey import LOOKS, settle, shoot
from tests.models import stored_writer

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Assay served over a data folder with a tiny GGUF model."""
    data = tmp_path_factory.mktemp("writer") / "data"
    data.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_DATA", str(data))
        patch.setenv("ASSAY_LOCK_DIR", str(data.parent))
        patch.delenv("ASSAY_DATABASE", raising=False)
        settings.cache_clear()
        stored_writer(Path(data) / "models" / "writer")
    settings.cache_clear()
    with serving(data) as url:
        yield url


def test_a_prompt_is_answered_live(address: str, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    page.goto(f"{address}/convert?model=writer", wait_until="domcontentloaded")
    settle(page)
    page.get_by_label("Prompt").fill("The river was quiet, and")
    page.get_by_label("Tokens at most").fill("96")
    page.get_by_role("button", name="Write").click()
    expect(page.get_by_text("tokens/s")).to_be_visible(timeout=120_000)
    expect(page.get_by_text("of prompt, the first after")).to_be_visible(timeout=120_000)
    link = page.url
    assert "try=" in link
    page.close()
    for width, theme in LOOKS:
        look = browser.new_page(
            viewport={"width": width, "height": 1000},
            color_scheme="dark" if theme == "dark" else "light",
        )
        look.goto(link, wait_until="domcontentloaded")
        expect(look.get_by_text("of prompt, the first after")).to_be_visible(timeout=60_000)
        settle(look)
        shoot(look, f"try-{width}-{theme}")
        look.close()
