"""The frame: every page in it, on the first visit by deep link too."""

from __future__ import annotations

import ast
import os
import re
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, expect

from pages.components import shell
from tests.pages.conftest import ROOT, opened, words


def test_the_list_of_pages_is_the_folder() -> None:
    listed = {info.name for info in shell.PAGES}
    assert listed == {path.stem for path in (ROOT / "pages").glob("*.py")} - {"__init__"}


@pytest.mark.parametrize("info", shell.PAGES, ids=lambda info: info.name)
def test_every_page_guards_itself_first(info: shell.PageInfo) -> None:
    body = ast.parse(info.path.read_text()).body
    first = next(node for node in body if isinstance(node, ast.Expr) and node is not body[0])
    assert ast.unparse(first) == "shell.guard()"


@pytest.mark.parametrize("info", shell.PAGES, ids=lambda info: info.name)
def test_every_page_opens_in_the_frame_of_an_empty_house(
    info: shell.PageInfo, workspace: Path
) -> None:
    app = opened(info.name)
    assert not app.exception
    assert f"Assay {shell.engine.__version__}" in words(app)


def test_session_keys_and_parameters_are_spelled_in_one_file() -> None:
    access = re.compile(r"(?:session_state|query_params)(?:\[|\.get\(|\.pop\()[\"']")
    for path in (ROOT / "pages").rglob("*.py"):
        if path.name != "state.py":
            text = path.read_text()
            assert not access.findall(text), path
            assert not re.findall(r"\bkey=[\"']", text), path


def test_the_theme_asks_nothing_of_the_network() -> None:
    config = (ROOT / ".streamlit" / "config.toml").read_text()
    assert "http" not in config
    settings = tomllib.loads(config)
    assert settings["server"]["address"] == "127.0.0.1"
    assert settings["browser"]["gatherUsageStats"] is False
    assert settings["runner"]["postScriptGC"] is False


@pytest.fixture
def cold(workspace: Path) -> Iterator[str]:
    """A server of its own that nobody has visited yet: its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "engine.api.heads", "run", "streamlit_app.py"]
    server = subprocess.Popen(
        [*command, f"--server.port={port}"],
        cwd=ROOT,
        env=os.environ.copy(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(240):
            try:
                urlopen(f"{address}/_stcore/health", timeout=5).close()
                break
            except URLError:
                assert server.poll() is None, "the server ended"
                time.sleep(0.25)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


def framed(tab: Page) -> None:
    """The frame is there, and it is ours."""
    expect(tab.get_by_role("link", name="Formats")).to_be_visible(timeout=30_000)
    expect(tab.get_by_text("Runs on this machine")).to_be_visible(timeout=30_000)
    expect(tab.get_by_role("link", name="streamlit app")).to_have_count(0)
    expect(tab.get_by_role("dialog")).to_have_count(0)


@pytest.mark.browser
@pytest.mark.parametrize(
    "link",
    [
        "/formats?format=gguf",
        "/report?id=nobody",
        "/choose?cho_target=pytorch&cho_control_flow=no",
        "/?cho_target=pytorch&cho_control_flow=no",
    ],
)
def test_the_very_first_visit_by_deep_link_is_framed(cold: str, tab: Page, link: str) -> None:
    """The trap: before any session has called ``st.navigation``, Streamlit runs the bare page."""
    tab.goto(cold + link)
    framed(tab)
    assert tab.url.endswith(link.partition("?")[2]), "the parameters are kept"
    wanted = {"/f": "GGUF: LLM CPU serving", "/c": "torch.jit.trace", "/?": "torch.jit.trace"}
    if link[:2] in wanted:
        expect(tab.get_by_role("heading", name=wanted[link[:2]])).to_be_visible()


@pytest.mark.browser
def test_browser_history_is_the_way_back_through_the_questions(cold: str, tab: Page) -> None:
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(cold)
    tab.get_by_text("Inside PyTorch", exact=True).click()
    tab.get_by_role("button", name="Continue").click()
    question = tab.get_by_role("heading", name="Does the model take different paths")
    expect(question).to_be_visible(timeout=30_000)
    tab.get_by_text("No: always the same path", exact=True).click()
    tab.get_by_role("button", name="Continue").click()
    leaf = tab.get_by_role("heading", name="torch.jit.trace")
    expect(leaf).to_be_visible(timeout=30_000)
    tab.go_back()
    expect(question).to_be_visible(timeout=30_000)
    tab.go_back()
    expect(tab.get_by_role("heading", name="Where will the model run?")).to_be_visible()
    tab.go_forward()
    expect(question).to_be_visible(timeout=30_000)
    outside = [url for url in asked if not url.startswith((cold, "data:", "blob:"))]
    assert not outside, "nothing is fetched from elsewhere"
