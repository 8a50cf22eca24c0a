"""A library in one file, and out of it again."""

from __future__ import annotations

import json
import shutil
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from engine import store
from engine.errors import BadRequest, InvalidModel
from engine.files import hash_path
from engine.settings import settings
from engine.store.backup import DATABASE, LIST, backup, restore
from tests.conftest import Library


def unseen(doing: str, share: float) -> None:
    assert doing and 0 <= share <= 1


@pytest.fixture
def kept(library: Library, tmp_path: Path) -> tuple[Path, str]:
    """A backup of a real library, and the token of a share in it."""
    shared = store.shares.create(store.reports.load(library.report_id), 14)
    path = tmp_path / "assay.backup"
    found = backup(path, unseen)
    assert found.counts["models"] >= 1 and found.counts["shares"] >= 1
    return path, shared.token


def elsewhere(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("ASSAY_DATA", str(home))
    settings.cache_clear()


def test_a_library_comes_back_whole(
    kept: tuple[Path, str], library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, token = kept
    before = {id_: hash_path(store.artifacts.load(id_)[0].path) for id_ in library.artifact_ids}
    report = store.reports.load(library.report_id)
    elsewhere(monkeypatch, tmp_path / "restored")
    restore(path, unseen)
    assert store.models.load(library.model_id).artifact.path.is_relative_to(tmp_path / "restored")
    for artifact_id, sha256 in before.items():
        artifact, judged = store.artifacts.load(artifact_id)
        assert hash_path(artifact.path) == sha256 == artifact.sha256
        assert judged is not None
    assert store.reports.load(library.report_id) == report
    assert store.shares.find(token)[0] == report
    assert not (tmp_path / "restored" / "restoring").exists()
    with pytest.raises(BadRequest, match=r"a library in .* already"):
        restore(path, unseen)


@pytest.mark.parametrize("how", ["cut", "flipped", "not a zip", "unlisted", "outside"])
def test_what_is_no_whole_backup_writes_nothing(
    kept: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    path = tmp_path / "spoiled"
    data = bytearray(kept[0].read_bytes())
    if how == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif how == "flipped":
        data[len(data) // 2] ^= 0xFF
        path.write_bytes(data)
    elif how == "not a zip":
        path.write_bytes(b"PK" + bytes(1000))
    else:
        shutil.copy(kept[0], path)
        with zipfile.ZipFile(path, "a") as file:
            file.writestr("../evil" if how == "outside" else "models/m/evil", b"x")
    elsewhere(monkeypatch, tmp_path / "restored")
    with pytest.raises(InvalidModel) as caught:
        restore(path, unseen)
    assert "python -m engine backup" in caught.value.hint
    assert not (tmp_path / "restored").exists()
    assert not (tmp_path / "evil").exists()


def test_a_list_that_leads_out_is_refused(
    kept: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "spoiled"
    with zipfile.ZipFile(kept[0]) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            new.writestr(
                name.replace("models/", "models/../../"),
                text.replace(b'"models/', b'"models/../../') if name == LIST else text,
            )
    elsewhere(monkeypatch, tmp_path / "restored")
    with pytest.raises(InvalidModel, match="is no place in a library"):
        restore(path, unseen)
    assert not (tmp_path / "restored").exists()


def test_a_backup_never_writes_over_a_file(workspace: Path, tmp_path: Path) -> None:
    path = tmp_path / "there"
    path.write_text("mine")
    with pytest.raises(BadRequest, match="is there already"):
        backup(path, unseen)
    assert path.read_text() == "mine"
    with pytest.raises(BadRequest, match="no file"):
        restore(tmp_path / "nothing", unseen)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE model SET id = '../../evil'", "is no id"),
        (
            "INSERT INTO job (id, kind, title, request, state, handed_over, cancel_requested, "
            "message, hint, steps, result, created_at, owner) VALUES "
            "('../evil', '', '', '{}', 'done', 1, 0, '', '', '[]', '{}', '', '')",
            "is no id",
        ),
        (
            "UPDATE artifact SET document = json_set(document, '$.path', '/etc/passwd')",
            "is no place in a library",
        ),
        (
            "UPDATE model SET document = json_set(document, '$.artifact.path', 'models/../../x')",
            "is no place in a library",
        ),
        ("CREATE TRIGGER t AFTER INSERT ON model BEGIN DELETE FROM model; END", "none of Assay's"),
        ("CREATE VIEW v AS SELECT 1", "none of Assay's"),
        ("CREATE TABLE other (id)", "none of Assay's"),
        (
            "ALTER TABLE artifact RENAME TO other; ALTER TABLE other RENAME TO Artifact",
            "'Artifact', which is none of Assay's",
        ),
        (
            'UPDATE artifact SET document = \'{"path": "/etc/passwd", \' || substr(document, 2)',
            "a name twice",
        ),
        ("UPDATE artifact SET document = '[]'", "no whole backup"),
        (
            "PRAGMA writable_schema = ON; INSERT INTO sqlite_master VALUES ('trigger', 'sqlite_x', "
            "'model', 0, 'CREATE TRIGGER sqlite_x AFTER INSERT ON model BEGIN SELECT 1; END')",
            "'sqlite_x', which is none of Assay's",
        ),
        (
            "ALTER TABLE model ADD COLUMN more TEXT GENERATED ALWAYS AS (document) VIRTUAL",
            "a column that is worked out",
        ),
        (
            "DROP TABLE share; PRAGMA writable_schema = ON; INSERT INTO sqlite_master VALUES "
            "('table', 'share', 'share', 0, 'CREATE VIRTUAL TABLE share USING some(x)')",
            "'share', which is none of Assay's",
        ),
    ],
)
def test_rows_of_a_backup_lead_nowhere_else(
    kept: tuple[Path, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    said: str,
) -> None:
    """A whole backup by its own list, made by somebody who wants into another's folders."""
    database, path = tmp_path / "its.db", tmp_path / "foreign"
    with zipfile.ZipFile(kept[0]) as old, zipfile.ZipFile(path, "w") as new:
        database.write_bytes(old.read(DATABASE))
        with closing(sqlite3.connect(database)) as opened, opened:
            opened.executescript(change)
        listed = json.loads(old.read(LIST))
        listed["files"][DATABASE] = {
            "size": database.stat().st_size,
            "sha256": hash_path(database),
        }
        told = {DATABASE: database.read_bytes(), LIST: json.dumps(listed).encode()}
        for name in old.namelist():
            new.writestr(name, told.get(name) or old.read(name))
    elsewhere(monkeypatch, tmp_path / "restored")
    with pytest.raises(InvalidModel, match=said):
        restore(path, unseen)
    assert not list((tmp_path / "restored").iterdir())
