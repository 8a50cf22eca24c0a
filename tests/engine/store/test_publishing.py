"""Whatever dies while it publishes: rows name whole files, files have rows or are swept, and what
was acknowledged stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine import store
from engine.files import hash_path, publish
from engine.jobs import host
from engine.settings import settings
from engine.sources import uploads
from engine.store import orphans, schema
from engine.store.database import transaction
from tests.engine.store.conftest import a_model

ROOT = Path(__file__).parents[3]
TIMES = 5


@pytest.fixture
def acknowledged(workspace: Path) -> list[tuple[str, str]]:
    """Everything was published while being killed at 21 places, five times each: what was kept."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.store.publisher", str(TIMES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) == TIMES * (8 + 8 + 3 + 6)
    return [(what, name) for what, name, kept in lines if kept == "1"]


def test_a_process_may_be_killed_anywhere_while_it_publishes(
    acknowledged: list[tuple[str, str]],
) -> None:
    left = _folders()
    _rows_name_whole_files()
    assert orphans.sweep(older_than_s=0) != ()
    _rows_name_whole_files()
    assert _folders() < left
    with transaction() as connection:
        rows = {
            *connection.scalars(sa.select(schema.model.c.id)),
            *connection.scalars(sa.select(schema.artifact.c.id)),
        }
    assert {folder.name for folder in _folders()} == rows
    names = {model.name for model in store.models.recent(1000)}
    names |= {one.id for one, _ in store.artifacts.of_model("m")}
    names |= {line.id for line in store.reports.recent(limit=1000)}
    assert {name for what, name in acknowledged if what != "upload"} <= names
    _uploads_go_on()


def test_what_is_young_may_still_be_written_down(workspace: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    (made / "model").write_text("weights")
    home = settings().models_store / "unclaimed"
    publish(made, home)
    store.models.save(a_model("claimed", workspace))
    assert orphans.sweep() == ()
    assert orphans.sweep(older_than_s=0) == (home,)
    assert [folder.name for folder in settings().models_store.iterdir()] == ["claimed"]


def test_what_a_living_process_is_about_to_publish_stays(workspace: Path) -> None:
    mine = settings().artifacts_dir / f"a.part-{os.getpid()}-1"
    mine.mkdir(parents=True)
    (gone := settings().artifacts_dir / "b.part-4194305-1").mkdir()
    assert orphans.sweep(older_than_s=0) == (gone,)
    assert mine.exists()


def test_a_host_says_what_it_removes(workspace: Path, caplog: pytest.LogCaptureFixture) -> None:
    (gone := settings().artifacts_dir / "b.part-4194305-1").mkdir(parents=True)
    with caplog.at_level("INFO", "assay.host"):
        host.sweep()
    assert not gone.exists()
    assert f"Removed {gone}" in caplog.text


def _folders() -> set[Path]:
    here = settings()
    return {*here.models_store.iterdir(), *here.artifacts_dir.iterdir()}


def _rows_name_whole_files() -> None:
    artifacts = [one for one, _ in store.artifacts.of_model("m")]
    artifacts += [model.artifact for model in store.models.recent(1000)]
    assert len(artifacts) >= 2 * TIMES
    for artifact in artifacts:
        assert hash_path(artifact.path) == artifact.sha256
        inner = artifact.path.parent / "inner" / "weights"
        assert inner.stat().st_size == len(artifact.path.read_text()) * 10


def _uploads_go_on() -> None:
    """Whatever was cut: completing it again gives the file."""
    folders = list(settings().uploads_dir.iterdir())
    assert len(folders) == TIMES * 6
    for folder in folders:
        done = uploads.complete(folder.name)
        assert uploads.path_of(done.id).read_bytes() == b"x" * 100
        assert hash_path(uploads.path_of(done.id)) == done.sha256
