"""The database: opened once per URL, and at the newest schema before anyone sees it."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, TextIO

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, IntegrityError

from engine.errors import EngineError, LibraryUnusable, StorageFull
from engine.failpoints import failpoint
from engine.files import unwritable
from engine.settings import settings
from engine.store import schema

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_MS = 30_000
_FULL_BYTES = 1 << 20
_RESTORE = (
    "Stop Assay, move {home} away as it is (models and artifacts still lie in it), and put a "
    "backup in its place."
)


@contextmanager
def transaction() -> Iterator[sa.Connection]:
    """A connection that commits at the end of the block, and rolls back when it raises.

    Raises StorageFull, and LibraryUnusable where the database is damaged, gone, locked by another
    program or not to be written.
    """
    try:
        with _database(settings().database_url).begin() as connection:
            yield connection
            failpoint("commit: begun")
    except DatabaseError as error:
        if (said := _said(error)) is None:
            raise
        raise said from error
    failpoint("commit: done")


def _said(error: DatabaseError) -> EngineError | None:
    """SQLite's error as a sentence; None for one that is no fault of the disk or the file."""
    name, home = getattr(error.orig, "sqlite_errorname", ""), settings().data_dir
    if name == "SQLITE_FULL" or (
        name.startswith("SQLITE_IOERR") and shutil.disk_usage(home).free < _FULL_BYTES
    ):
        return StorageFull()
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return LibraryUnusable(
            f"The database in {home} is damaged ({error.orig}).", hint=_RESTORE.format(home=home)
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return LibraryUnusable(
            f"Another program has held the database in {home} for {_BUSY_MS // 1000} seconds.",
            hint="Close what has it open (a database browser, a copy that runs) and try again.",
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return unwritable(home, str(error.orig))
    return None


def insert_new(table: sa.Table, **values: Any) -> bool:
    """Insert a row. False when its primary key is there already, which changes nothing."""
    try:
        with transaction() as connection:
            connection.execute(sa.insert(table).values(**values))
    except IntegrityError:
        return False
    return True


def now() -> str:
    """This moment, ISO 8601 in UTC. Sorts as text."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@cache
def _database(url: str) -> sa.Engine:
    """The one engine of this URL in this process."""
    made = sa.make_url(url)
    database = sa.create_engine(
        made,
        pool_pre_ping=made.get_backend_name() != "sqlite",
        json_serializer=partial(json.dumps, allow_nan=False, ensure_ascii=False),
    )
    if made.get_backend_name() == "sqlite":
        sa.event.listen(database, "connect", _prepare_sqlite)
    file = Path(made.database) if made.get_backend_name() == "sqlite" and made.database else None
    with _one_at_a_time() as known:
        if file is not None:
            _refuse_missing(file, known)
        if _revision(database) != schema.HEAD:
            _upgrade(database)
        if file is not None:
            known.truncate(0)
            known.write(file.name)
    return database


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Readers beside a writer, and a commit that survives a power cut."""
    for pragma in (
        f"busy_timeout = {_BUSY_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


@contextmanager
def _one_at_a_time() -> Iterator[TextIO]:
    """Web, host and shell may start together: one of them opens the database first.

    The first connection also switches SQLite to its log, which does not wait for others. The lock
    file holds the name of the database that was made here, so that a lost one is missed.
    """
    lock = settings().data_dir / "migrate.lock"
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        held = lock.open("a+")
    except OSError as error:
        raise unwritable(settings().data_dir, error.strerror) from error
    with held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.seek(0)
        yield held


def _refuse_missing(file: Path, known: TextIO) -> None:
    """An empty library in the place of a lost one would call every file in it nobody's."""
    if not file.exists() and known.read() == file.name:
        raise LibraryUnusable(
            f"The database {file} is gone, which says what the folders beside it hold.",
            hint=_RESTORE.format(home=settings().data_dir)
            + " To begin anew, move that folder away and start.",
        )
    file.parent.mkdir(parents=True, exist_ok=True)


def _upgrade(database: sa.Engine) -> None:
    """Run the migrations. Alembic is imported only here: most starts need none."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with database.begin() as connection:
        if connection.dialect.name == "sqlite":
            # The driver begins no transaction for DDL by itself: all tables, or none.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _revision(database: sa.Engine) -> str | None:
    """The revision the database says it is at; None for an empty one."""
    with database.connect() as connection:
        try:
            found: str | None = connection.scalar(
                sa.text("SELECT version_num FROM alembic_version")
            )
        except DatabaseError as error:
            if getattr(error.orig, "sqlite_errorname", "SQLITE_ERROR") != "SQLITE_ERROR":
                raise  # no table is SQLITE_ERROR; anything else is no empty database
            return None
    return found
