"""What every test may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.settings import settings


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
