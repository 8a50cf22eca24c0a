"""A library made at any earlier revision is brought up to date with everything that is in it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from engine import store
from engine.access import OPERATOR, Person, Role, acting
from engine.jobs.protocol import JobState
from engine.records import dump
from engine.reports.migrations import load
from engine.settings import settings
from engine.store import documents, library, schema
from tests.engine.store.conftest import a_model, a_verification, an_artifact

MIGRATIONS = Path(schema.__file__).parent / "migrations"
REVISIONS = [one.revision for one in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]
EARLIER = Path(__file__).parents[1] / "reports" / "earlier"
REPORTS = {"0001": "schema1.json", "0002": "schema4.json", "0003": "schema5.json",
           "0004": "schema7.json"}  # fmt: skip
"""By revision of the database: a report such as was written then."""
WHEN = "2026-01-01T00:00:00.000+00:00"
TOKEN = "a token"
RITA = Person("rita", "rita@example.org", Role.RUNNER)
LATER = {"model": ("barred",), "artifact": ("variant", "options", "passes")}
"""Fields that documents of the first revision had not."""


def a_library_at(revision: str, home: Path) -> None:
    """A database as the migrations left it then, with a row of everything there was."""
    database = sa.create_engine(settings().database_url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        tables = sa.MetaData()
        tables.reflect(connection)
        for name, row in rows_of(revision, home).items():
            connection.execute(sa.insert(tables.tables[name]).values(**row))
    database.dispose()


def rows_of(revision: str, home: Path) -> dict[str, dict[str, Any]]:
    """By table: what was written then."""
    model = documents.from_model(a_model("m", home))
    artifact = documents.from_artifact(an_artifact("a", home / "artifacts"))
    verification = dump(a_verification("a"))
    if revision == "0001":
        model = without(model, *LATER["model"])
        model["artifact"] = without(model["artifact"], *LATER["artifact"])
        artifact = without(artifact, *LATER["artifact"])
        verification = without(verification, "language")
    report = json.loads((EARLIER / REPORTS.get(revision, "schema7.json")).read_text())
    rows: dict[str, dict[str, Any]] = {
        "model": {"id": "m", "created_at": WHEN, "document": model},
        "artifact": {"id": "a", "model_id": "m", "created_at": WHEN, "document": artifact,
                     "verification": verification},
        "job": {"id": "j", "kind": "import", "title": "Bring in m", "request": {},
                "state": "queued", "handed_over": False, "cancel_requested": False, "message": "",
                "hint": "", "steps": [], "result": {}, "created_at": WHEN},
        "report": {"id": report["id"], "title": report["title"], "model_name": "ResNet-50",
                   "formats": ["onnx"], "fastest": "ONNX Runtime", "created_at": WHEN,
                   "document": report},
        "share": {"id": "s", "token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest(),
                  "report_id": report["id"], "created_at": WHEN, "views": 2, "document": report},
    }  # fmt: skip
    if revision >= "0004":
        for row in rows.values():
            row["owner"] = RITA.id
        rows["report"]["for_all"] = True
        rows["person"] = {"id": RITA.id, "name": RITA.name, "seen_at": WHEN}
    return rows


def without(document: dict[str, Any], *names: str) -> dict[str, Any]:
    """The document as it was before it had these fields."""
    return {name: value for name, value in document.items() if name not in names}


@pytest.mark.parametrize("revision", REVISIONS)
def test_everything_is_read_after_the_upgrade(revision: str, workspace: Path) -> None:
    a_library_at(revision, workspace)
    with acting(RITA):
        kept = RITA.id if revision >= "0004" else ""
        assert [model.id for model in store.models.recent()] == (["m"] if kept else [])
    assert store.models.load("m") == a_model("m", workspace)
    artifact = an_artifact("a", workspace / "artifacts")
    assert store.artifacts.load("a") == (artifact, a_verification("a"))
    assert store.artifacts.quality_of("a") == ()
    assert store.data.of_model("m") == ()
    (line,) = store.reports.recent()
    assert (line.owner, line.for_all) == (kept, bool(kept))
    assert store.jobs.load("j").owner == kept
    assert library.people() == {"": OPERATOR.name, **({RITA.id: RITA.name} if kept else {})}
    assert (line.model_name, line.fastest) == ("ResNet-50", "ONNX Runtime")
    written = rows_of(revision, workspace)["report"]["document"]
    assert store.reports.load(line.id) == load(written)
    report, share = store.shares.find(TOKEN)
    assert (report, share.views) == (load(written), 3)
    assert [job.id for job in store.jobs.to_hand_over()] == ["j"]
    assert store.jobs.start("j") and store.jobs.finish("j", JobState.DONE)
    store.models.delete("m")
    assert store.models.recent() == ()


def test_every_revision_has_a_report_of_its_time() -> None:
    assert set(REVISIONS) == set(REPORTS), "say which reports were written at the new revision"
