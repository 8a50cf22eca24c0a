"""The database: opened once per URL, and at the newest schema before anyone sees it."""

from __future__ import annotations

import fcntl
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError

from engine.errors import StorageFull
from engine.settings import settings
from engine.store import schema

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_MS = 30_000


@contextmanager
def transaction() -> Iterator[sa.Connection]:
    """A connection that commits at the end of the block, and rolls back when it raises."""
    try:
        with _database(settings().database_url).begin() as connection:
            yield connection
    except OperationalError as error:
        if isinstance(error.orig, sqlite3.OperationalError) and "full" in str(error.orig):
            raise StorageFull() from error
        raise


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
    if made.get_backend_name() == "sqlite" and made.database:
        Path(made.database).parent.mkdir(parents=True, exist_ok=True)
    database = sa.create_engine(
        made,
        pool_pre_ping=made.get_backend_name() != "sqlite",
        json_serializer=partial(json.dumps, allow_nan=False, ensure_ascii=False),
    )
    if made.get_backend_name() == "sqlite":
        sa.event.listen(database, "connect", _prepare_sqlite)
    with _one_at_a_time():
        if _revision(database) != schema.HEAD:
            _upgrade(database)
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
def _one_at_a_time() -> Iterator[None]:
    """Web, host and shell may start together: one of them opens the database first.

    The first connection also switches SQLite to its log, which does not wait for others.
    """
    lock = settings().data_dir / "migrate.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


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
        except DatabaseError:
            return None
    return found
