"""The queue's own database file. What it held beside our table can be had again from there."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

_log = logging.getLogger("assay.host")
_BESIDE = ("", "-journal", "-wal", "-shm")
_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB")


def mend(file: Path) -> None:
    """Put a damaged file aside, before the queue opens it and makes a new one.

    Jobs that it knew of are then handed over again (``host._take_stock``).
    """
    if not file.exists() or (wrong := _damage(file)) is None:
        return
    number = len(list(file.parent.glob(f"damaged-*-{file.name}"))) + 1
    for part in (file.with_name(file.name + ending) for ending in _BESIDE):
        if part.exists():
            part.rename(file.with_name(f"damaged-{number}-{part.name}"))
    _log.warning(
        "The queue's database was damaged (%s): it is kept as damaged-%d-%s and made anew; jobs "
        "that had not ended are handed over again.",
        *(wrong, number, file.name),
    )


def identity(file: Path) -> int | None:
    """Which file lies there, to see whether it still is the one that was opened; None for none."""
    try:
        return file.stat().st_ino
    except FileNotFoundError:
        return None


def _damage(file: Path) -> str | None:
    """What SQLite finds wrong with it, if anything."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=rw", uri=True)) as opened:
            said = str(opened.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorname not in _DAMAGE:
            raise
        return str(error)
    return None if said == "ok" else said
