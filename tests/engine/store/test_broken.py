"""Disks and databases that fail: each says what to do, and nothing is lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from engine import store
from engine.errors import LibraryUnusable
from engine.settings import settings
from engine.store import database
from tests.disks import on_a_small_disk
from tests.engine.store.conftest import a_report


def test_a_disk_that_fills_up_loses_nothing_and_serves_again(
    workspace: Path, tmp_path: Path
) -> None:
    done = on_a_small_disk(workspace, f'exec "$1" -m tests.engine.store.small_disk "{tmp_path}"')
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["_upload", "_artifact", "_text", "_report"]


def test_a_folder_that_cannot_be_written_is_refused_at_start(workspace: Path) -> None:
    done = on_a_small_disk(workspace, 'mount -o remount,ro "$0" && exec "$1" -m engine host')
    assert done.returncode == 1
    assert f"error: The data folder {workspace} cannot be written" in done.stderr
    assert "ASSAY_DATA" in done.stderr and "Traceback" not in done.stderr


@pytest.fixture
def kept(workspace: Path) -> Path:
    """A database file with a report in it, closed."""
    store.reports.save(a_report("r", workspace))
    reopened()
    return workspace / "assay.db"


def reopened() -> None:
    """As a process that starts finds it."""
    database._database(settings().database_url).dispose()
    database._database.cache_clear()


@pytest.mark.parametrize("how", ["no database", "pages overwritten"])
def test_a_damaged_database_says_so_and_stays_as_it_is(kept: Path, how: str) -> None:
    spoiled = bytearray(kept.read_bytes())
    start = 0 if how == "no database" else 4096
    spoiled[start : start + 200_000] = b"\xa5" * len(spoiled[start : start + 200_000])
    kept.write_bytes(spoiled)
    with pytest.raises(LibraryUnusable, match="is damaged") as caught:
        store.reports.recent()
    assert "backup" in caught.value.hint
    assert kept.read_bytes() == spoiled


def test_a_lost_database_is_missed_and_not_made_anew(kept: Path) -> None:
    for path in kept.parent.glob("assay.db*"):
        path.unlink()
    with pytest.raises(LibraryUnusable, match="is gone") as caught:
        store.reports.recent()
    assert "backup" in caught.value.hint
    assert not kept.exists()


def test_a_database_in_other_hands_is_waited_for_and_then_said(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_BUSY_MS", 300)
    with closing(sqlite3.connect(kept, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LibraryUnusable, match="Another program has held"):
            store.reports.save(a_report("s", kept.parent))
        assert [line.id for line in store.reports.recent()] == ["r"], "readers go on"
        other.execute("COMMIT")
    store.reports.save(a_report("s", kept.parent))
    assert {line.id for line in store.reports.recent()} == {"r", "s"}
    reopened()
