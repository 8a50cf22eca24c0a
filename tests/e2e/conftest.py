"""The running product and a real browser in front of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.ports import free_port

ROOT = Path(__file__).parents[2]
SHOTS = ROOT / "tests" / "artifacts"

expect.set_options(timeout=30_000)
"""On a busy machine a page's late pieces, a code block for one, take more than five seconds."""


@dataclass(frozen=True)
class App:
    """A served Assay: where it answers and where it keeps its data."""

    url: str
    data: Path


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """Web and host as `make run` starts them, on a free port and an empty data folder."""
    home = tmp_path_factory.mktemp("served")
    models = home / "models"
    models.mkdir()
    with serving(home / "data", ASSAY_MODELS=str(models)) as url:
        yield App(url, home / "data")


@contextmanager
def serving(data: Path, **settings: str) -> Iterator[str]:
    """Assay served over a data folder until the end of the block; gives its address."""
    port = free_port()
    environment = {
        **os.environ,
        "ASSAY_DATA": str(data),
        "ASSAY_LOCK_DIR": str(data.parent),
        **settings,
    }
    log = data.parent / "serve.log"
    with log.open("w") as said:
        served = subprocess.Popen(
            [sys.executable, "-m", "engine", "serve", "--port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until_healthy(f"http://127.0.0.1:{port}/healthz", served, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            served.send_signal(signal.SIGTERM)
            served.wait(timeout=30)


def wait_until_healthy(url: str, served: subprocess.Popen[bytes], log: Path) -> None:
    """Until the health route answers JSON; any path answers 200 with the app's own HTML."""
    for _ in range(300):
        if served.poll() is not None:
            raise AssertionError(f"serve ended: {log.read_text()}")
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.headers.get_content_type() == "application/json":
                    return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"not healthy after 30 s: {log.read_text()}")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh context at 1440 px."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()
