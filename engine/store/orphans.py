"""Folders that a process which died had published, and never came to write down."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

import sqlalchemy as sa

from engine.jobs.protocol import JobState
from engine.settings import settings
from engine.store import schema
from engine.store.database import transaction

DAY_S = 24 * 3600.0
OLD_S = 3600.0
"""What is younger may still be written down, by a shell that runs beside this host."""

_STAGING = re.compile(r"\.part-(\d+)-\d+$")


def sweep(older_than_s: float = OLD_S) -> tuple[Path, ...]:
    """Remove what was never finished, and what has no row though it is old; gives what went."""
    here = settings()
    homes = {
        here.models_store: schema.model,
        here.artifacts_dir: schema.artifact,
        here.data_sets_dir: schema.data,
    }
    gone = [
        folder
        for home, table in homes.items()
        if home.is_dir()
        for folder in (*_abandoned(home), *_unclaimed(home, table, older_than_s))
    ]
    for folder in gone:
        shutil.rmtree(folder, ignore_errors=True)
    return tuple(gone)


def left_by_jobs(older_than_s: float = DAY_S) -> tuple[str, ...]:
    """Jobs with folders and without an open row, for whose workers' files nobody comes any more.

    A shell's have no row at all: of these only what nobody has added to for a day.
    """
    home, before = settings().jobs_dir, time.time() - older_than_s
    with transaction() as connection:
        found = connection.execute(sa.select(schema.job.c.id, schema.job.c.state))
        ended = {id_: JobState(state).ended for id_, state in found}
    folders = home.iterdir() if home.is_dir() else ()
    return tuple(
        folder.name
        for folder in folders
        if ended.get(folder.name, folder.stat().st_mtime <= before)
    )


def _abandoned(home: Path) -> list[Path]:
    """What a process that is gone was about to publish."""
    found = ((_STAGING.search(left.name), left) for left in home.glob("*.part-*"))
    return [left for part, left in found if part and not Path("/proc", part[1]).exists()]


def _unclaimed(home: Path, table: sa.Table, older_than_s: float) -> list[Path]:
    """Folders without a row. A rename sets their time of change; folders are listed before rows,
    so that one that is being written down meanwhile has its row in the list."""
    before = time.time() - older_than_s
    old = [
        folder
        for folder in home.iterdir()
        if not _STAGING.search(folder.name) and folder.stat().st_ctime <= before
    ]
    with transaction() as connection:
        known = set(connection.scalars(sa.select(table.c.id)))
    return [folder for folder in old if folder.name not in known]
