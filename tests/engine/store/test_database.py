"""The schema: what the migrations make is what the code expects, whoever comes first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from engine.errors import StorageFull
from engine.store import database, schema

ROOT = Path(__file__).parents[3]


def test_the_migrations_lead_to_the_tables_of_the_code(workspace: Path) -> None:
    with database.transaction() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, schema.metadata) == []


def test_the_head_is_the_newest_revision() -> None:
    scripts = ScriptDirectory(str(ROOT / "engine" / "store" / "migrations"))
    assert scripts.get_current_head() == schema.HEAD


def test_sqlite_is_set_to_keep_what_it_commits(workspace: Path) -> None:
    with database.transaction() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        ]
    assert found == ["wal", 2, 30_000]


def test_processes_that_start_together_all_find_the_tables(workspace: Path) -> None:
    look = "from engine import store; print(len(store.jobs.recent()))"
    together = [
        subprocess.Popen(
            [sys.executable, "-c", look],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in together:
        out, err = process.communicate(timeout=60)
        assert (out.strip(), process.returncode) == ("0", 0), err


def test_a_transaction_that_raises_leaves_nothing(workspace: Path) -> None:
    class Interrupted(Exception):
        pass

    try:
        with database.transaction() as connection:
            connection.execute(
                sa.insert(schema.model).values(id="m", created_at="now", document={})
            )
            raise Interrupted
    except Interrupted:
        pass
    with database.transaction() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.model)) == 0


def test_a_full_disk_is_a_sentence(workspace: Path) -> None:
    with pytest.raises(StorageFull, match="disk is full"), database.transaction() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        document = {"large": "x" * 10**6}
        connection.execute(
            sa.insert(schema.model).values(id="m", created_at="now", document=document)
        )
