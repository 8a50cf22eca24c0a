"""One file with everything that was kept: the database as it is at one moment, and its files.

A zip, not compressed (weights do not shrink). ``backup.json`` comes last and lists every other
member with size and sha256, so that a file cut short is known before anything is restored.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import sqlalchemy as sa

from engine.errors import BadRequest, InvalidModel
from engine.files import disk_errors, files_of
from engine.settings import settings
from engine.store import schema
from engine.store.database import now, transaction

FORMAT = 1
"""The version of the layout of a backup."""
DATABASE, LIST = "assay.db", "backup.json"
FOLDERS = ("models", "artifacts", "data")

_CHUNK = 1 << 20
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_PLACES: dict[str, tuple[str, ...]] = {
    "model": ("artifact", "path"),
    "artifact": ("path",),
    "data": ("path",),
}
"""Where in its document a row of each table says that its files lie, below the data folder."""
_WITH_FOLDERS = (*_PLACES, "job")
_OF_SQLITE = re.compile("sqlite_(sequence|stat[0-9])")
_KNOWN = {*schema.metadata.tables, "alembic_version"}
_HELD = "models", "artifacts", "data", "reports", "shares"
_ASK = "Make a new backup with: python -m engine backup FILE"

Progress = Callable[[str, float], None]
"""Called with what is being done, and how much of it is, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds. ``size_bytes`` is that of its members."""

    path: Path
    made_at: str
    size_bytes: int
    counts: dict[str, int]


def backup(path: Path, progress: Progress) -> Backup:
    """Write a backup while everything runs on. Raises BadRequest for a database that is no file.

    Raises StorageFull. Rows are copied before files: what is published meanwhile is not in it, and
    of what is deleted meanwhile the row may be without its files, as after any deletion.
    """
    if path.exists():
        raise BadRequest(f"{path} is there already.", hint="Name a new file.")
    part = path.with_name(f"{path.name}.part")
    try:
        with disk_errors():
            found = _write(part, progress)
            part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    return Backup(path, found["made_at"], _size(found), found["counts"])


def restore(path: Path, progress: Progress) -> Backup:
    """Put a backup where nothing is yet. Checked whole before the first byte is written.

    Raises BadRequest where a library is there already, InvalidModel for what is no whole backup.
    """
    home = settings().data_dir
    if _database_file().exists() or any((home / name).exists() for name in FOLDERS):
        raise BadRequest(
            f"There is a library in {home} already.",
            hint="Stop Assay and move that folder away, or set ASSAY_DATA to another one.",
        )
    with _opened(path) as (file, listed):
        for at, (name, entry) in enumerate(listed["files"].items()):
            progress(f"Checking {name}", at / (2 * len(listed["files"])))
            if _digest(file.open(name)) != entry["sha256"]:
                raise InvalidModel(f"{name} in this backup was damaged.", hint=_ASK)
        _extract(file, listed, home, progress)
    return Backup(path, listed["made_at"], _size(listed), listed["counts"])


def _write(part: Path, progress: Progress) -> dict[str, Any]:
    """Database first: a file that is published later has no row in this copy."""
    copy = part.with_name(f"{part.name}.db")
    files: dict[str, dict[str, Any]] = {}
    try:
        _copy_database(copy)
        kept = [(f"{name}/{inner}", path) for name in FOLDERS for inner, path in _below(name)]
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED, allowZip64=True) as target:
            for at, (name, source) in enumerate([(DATABASE, copy), *kept]):
                progress(f"Writing {name}", at / (len(kept) + 1))
                try:
                    files[name] = _add(target, name, source)
                except FileNotFoundError:
                    continue  # deleted since it was listed
            listed = {"format": FORMAT, "made_at": now(), "revision": schema.HEAD,
                      "counts": _counts(copy), "files": files}  # fmt: skip
            target.writestr(LIST, json.dumps(listed, indent=1))
    finally:
        copy.unlink(missing_ok=True)
    return listed


def _add(target: zipfile.ZipFile, name: str, source: Path) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as read, target.open(name, "w", force_zip64=True) as written:
        while piece := read.read(_CHUNK):
            digest.update(piece)
            size += written.write(piece)
    return {"size": size, "sha256": digest.hexdigest()}


def _below(name: str) -> Iterator[tuple[str, Path]]:
    """Every published file of a folder; what is being published is no file yet."""
    home = settings().data_dir / name
    for path in files_of(home) if home.exists() else ():
        inner = path.relative_to(home)
        if ".part-" not in inner.parts[0]:
            yield inner.as_posix(), path


def _copy_database(copy: Path) -> None:
    """SQLite's own backup: one moment of it, while others write."""
    with transaction():  # opened once, so that it is at the newest schema
        pass
    with (
        closing(sqlite3.connect(_database_file())) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)


def _counts(database: Path) -> dict[str, int]:
    """How many of each kind there are, for a person to know the backup by."""
    with closing(sqlite3.connect(database)) as opened:
        return {
            name: opened.execute(f"SELECT count(*) FROM {name.removesuffix('s')}").fetchone()[0]
            for name in _HELD
        }


def _database_file() -> Path:
    found = sa.make_url(settings().database_url)
    if found.get_backend_name() != "sqlite" or not found.database:
        raise BadRequest(
            "The database is a server's, not a file of Assay's.",
            hint="Use that server's own backup (for PostgreSQL: pg_dump), and copy the folders "
            f"{', '.join(FOLDERS)} of {settings().data_dir}.",
        )
    return Path(found.database)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, dict[str, Any]]]:
    """A backup and its list. Raises InvalidModel, BadRequest saying what is wrong."""
    try:
        with zipfile.ZipFile(path) as file:
            yield file, _listed(file)
    except FileNotFoundError as error:
        raise BadRequest(f"There is no file {path}.", hint="Name a backup.") from error
    except (zipfile.BadZipFile, sqlite3.Error, KeyError, ValueError, TypeError, EOFError) as error:
        raise InvalidModel(f"{path.name} is no whole backup: {error}.", hint=_ASK) from error


def _listed(file: zipfile.ZipFile) -> dict[str, Any]:
    listed: dict[str, Any] = json.loads(file.read(LIST))
    if listed["format"] != FORMAT or listed["revision"] > schema.HEAD:
        raise BadRequest(
            f"This backup was made by a newer Assay (layout {listed['format']}, database "
            f"{listed['revision']}).",
            hint="Restore it with that version, or a later one.",
        )
    here = {info.filename: info for info in file.infolist()}
    if set(here) != {*listed["files"], LIST} or DATABASE not in here:
        raise ValueError("its list does not name what it holds")
    for name, entry in listed["files"].items():
        if name != DATABASE:
            _check_name(name)
        if here[name].file_size != entry["size"]:
            raise ValueError(f"{name} has another size")
    return listed


def _check_name(name: str, depth: int = 3) -> None:
    """A backup is a file from somewhere, too: nothing in it may lead out of the library."""
    parts = PurePosixPath(name).parts
    if len(parts) < depth or parts[0] not in FOLDERS or ".." in parts or "\\" in name:
        raise ValueError(f"{name[:80]!r} is no place in a library")


def _extract(file: zipfile.ZipFile, listed: dict[str, Any], home: Path, progress: Progress) -> None:
    """Into folders beside, then in their place; the database last, for rows name files."""
    staging = home / "restoring"
    shutil.rmtree(staging, ignore_errors=True)
    try:
        with disk_errors():
            for at, name in enumerate(listed["files"]):
                progress(f"Restoring {name}", 0.5 + at / (2 * len(listed["files"])))
                out = staging / name
                out.parent.mkdir(parents=True, exist_ok=True)
                with file.open(name) as member, out.open("xb") as target:
                    shutil.copyfileobj(member, target, _CHUNK)
            _check_database(staging / DATABASE)
            for name in (*FOLDERS, DATABASE):
                place = _database_file() if name == DATABASE else home / name
                if (staging / name).exists():
                    place.parent.mkdir(parents=True, exist_ok=True)
                    (staging / name).rename(place)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _check_database(path: Path) -> None:
    """Nothing runs in it, and what its rows name lies in the library. Raises ValueError."""
    with closing(sqlite3.connect(path)) as opened:
        here = _tables(opened)
        for table in here.intersection(_WITH_FOLDERS):  # an older one has fewer
            for (id_,) in opened.execute(f"SELECT id FROM {table}"):
                if not _ID.fullmatch(str(id_)):
                    raise ValueError(f"{str(id_)[:80]!r} is no id")
        for table in here.intersection(_PLACES):
            for (document,) in opened.execute(f"SELECT document FROM {table}"):
                _check_name(_place(document, _PLACES[table]), depth=2)


def _tables(opened: sqlite3.Connection) -> set[str]:
    """Its tables. Raises ValueError where anything is not ours, or works by itself."""
    found = set()
    for name, kind, sql in opened.execute("SELECT name, type, sql FROM sqlite_master"):
        if not _is_ours(name, kind, sql or ""):
            raise ValueError(f"its database has {name[:80]!r}, which is none of Assay's")
        found.add(name)
    for table in found & _KNOWN:
        if any(column[-1] for column in opened.execute(f"PRAGMA table_xinfo({table})")):
            raise ValueError(f"its table {table!r} has a column that is worked out")
    return found


def _is_ours(name: str, kind: str, sql: str) -> bool:
    """Exactly ours: to SQLite "Model" is "model", too, and a virtual table is a program."""
    if kind == "index":
        return True
    plain = kind == "table" and not sql.lower().lstrip().startswith("create virtual")
    return plain and (name in _KNOWN or _OF_SQLITE.fullmatch(name) is not None)


def _place(document: str, keys: tuple[str, ...]) -> str:
    """The path in a row's document, read as the store reads it. Raises ValueError, TypeError."""
    found = json.loads(document, object_pairs_hook=_without_twins)
    for key in keys:
        found = found[key]
    return str(found)


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two values under one name, readers disagree which one holds."""
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a document of its database has a name twice")
    return dict(pairs)


def _digest(member: IO[bytes]) -> str:
    digest = hashlib.sha256()
    with member:
        try:
            while piece := member.read(_CHUNK):
                digest.update(piece)
        except zipfile.BadZipFile:
            return ""  # its own checksum is wrong already
    return digest.hexdigest()


def _size(listed: dict[str, Any]) -> int:
    return sum(int(entry["size"]) for entry in listed["files"].values())
