"""What every test may ask for."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest
from playwright.sync_api import Browser, sync_playwright

from engine.settings import settings
from engine.types import Target

# How long an example takes to make says nothing on a machine that does other things, too.
hypothesis.settings.register_profile(
    "shared", suppress_health_check=[hypothesis.HealthCheck.too_slow], deadline=None
)
hypothesis.settings.load_profile("shared")


@pytest.fixture(scope="session", autouse=True)
def nobodys_library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A test that asks for no folder still never touches the person's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_DATA", str(tmp_path_factory.mktemp("nobodys")))
        patch.delenv("ASSAY_DATABASE", raising=False)
        settings.cache_clear()
        yield
    settings.cache_clear()


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder of this test's own, with its own database and locks."""
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("ASSAY_LOCK_DIR", str(tmp_path))
    monkeypatch.delenv("ASSAY_DATABASE", raising=False)
    monkeypatch.delenv("ASSAY_MODELS", raising=False)
    settings.cache_clear()
    (tmp_path / "data").mkdir()
    yield tmp_path / "data"
    settings.cache_clear()


@dataclass(frozen=True)
class Library:
    """A data folder in which the whole job has been done once, by the real parts."""

    data: Path
    model_id: str
    artifact_ids: tuple[str, ...]
    report_id: str


@pytest.fixture(scope="session")
def done_once(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The digits sample brought, converted to ONNX, verified and measured: about half a minute."""
    home = tmp_path_factory.mktemp("library")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_DATA", str(home / "data"))
        patch.setenv("ASSAY_LOCK_DIR", str(home))
        patch.delenv("ASSAY_DATABASE", raising=False)
        settings.cache_clear()
        from engine import pipeline
        from engine.jobs.steps import DirectSteps

        brought = pipeline.import_model(
            DirectSteps("import", ignore), pipeline.ImportRequest("sample", "digits")
        )
        made = pipeline.convert(
            DirectSteps("convert", ignore),
            pipeline.ConvertRequest(brought["model_id"], (Target("onnx"),)),
        )
        assert not made["failures"]
        measured = pipeline.measure(
            DirectSteps("measure", ignore),
            pipeline.MeasureRequest(brought["model_id"], tuple(made["artifacts"])),
        )
    settings.cache_clear()
    return Library(
        home / "data", brought["model_id"], tuple(made["artifacts"]), measured["report_id"]
    )


def ignore(steps: object, partial: object) -> None:
    """Nobody watches these jobs."""


@pytest.fixture
def library(done_once: Library, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    """The settings point at the folder in which everything has been done. Add, never delete."""
    monkeypatch.setenv("ASSAY_DATA", str(done_once.data))
    monkeypatch.setenv("ASSAY_LOCK_DIR", str(done_once.data.parent))
    monkeypatch.delenv("ASSAY_DATABASE", raising=False)
    settings.cache_clear()
    yield done_once
    settings.cache_clear()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless; one for the whole run, since its driver runs once a process."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "chromium is not installed: scripts/browser installs it"
    with sync_playwright() as driver:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        chromium = driver.chromium.launch(executable_path=path, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
        return number
