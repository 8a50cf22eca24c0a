"""Uploads as folders: ``uploads_dir/<id>/`` holds ``meta.json`` and ``part``, later ``file``.

The bytes are appended where they belong and nowhere else, so that an upload that was cut can go
on. No web framework in here: the routes, the page and the shell all use these functions.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BufferedRandom
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from engine import access
from engine.errors import NotFound, UploadError
from engine.failpoints import failpoint
from engine.files import disk_errors, fsync, write_atomically
from engine.records import dumps, parse
from engine.settings import settings
from engine.sources import quotas

EXPIRES_AFTER_S = 24 * 3600
_ID = re.compile(r"[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_META, _PART, _FILE = "meta.json", "part", "file"
_NAME_LIMIT = 128


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload: what was announced. ``sha256`` is None until it is known; ``size`` in bytes.

    ``by`` is whose it is, as far as turns are taken by person; empty where it came not by the web.
    ``owner`` is the id of whoever brings it: to everybody else it is unknown.
    """

    id: str
    name: str
    size: int
    sha256: str | None = None
    by: str = ""
    owner: str = ""


def create(name: str, size: int, sha256: str | None = None, by: str = "") -> Upload:
    """Announce an upload of ``size`` bytes.

    Raises UploadError (400, 413, 429 or 507), NotAllowed.
    """
    access.need(access.Role.RUNNER)
    limit = settings().max_upload_bytes
    if size <= 0:
        raise UploadError("This file is empty.", status=400, hint="Choose a file with a model.")
    if size > limit:
        raise UploadError(
            f"This file has {size:,} bytes; Assay takes up to {limit:,}.",
            status=413,
            hint="Put it in the models folder (ASSAY_MODELS) or raise ASSAY_MAX_UPLOAD_GIB.",
        )
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise UploadError("A sha256 has 64 hexadecimal digits.", status=400)
    owner = access.who().id
    upload = Upload(secrets.token_hex(16), clean_name(name), size, sha256, by, owner)
    folder = settings().uploads_dir / upload.id
    with _one_at_a_time():
        sweep()
        with access.acting(access.OPERATOR):  # room is for all together
            _check_room(size, by)
        with disk_errors():
            folder.mkdir()
            (folder / _PART).touch()
        write_atomically(folder / _META, dumps(upload))
    return upload


def info(upload_id: str) -> Upload:
    """What was announced. Raises NotFound."""
    try:
        found = parse(Upload, _read_json(_folder(upload_id) / _META))
    except FileNotFoundError as error:
        raise _unknown(upload_id) from error
    if not access.who().sees(found.owner):
        raise _unknown(upload_id)
    return found


def offset(upload_id: str) -> int:
    """How many bytes have arrived. Raises NotFound."""
    info(upload_id)
    folder = _folder(upload_id)
    for name in (_FILE, _PART):
        if (folder / name).exists():
            return (folder / name).stat().st_size
    raise _unknown(upload_id)


class Appender:
    """An open upload that takes chunks at its end. A context manager; not for two threads.

    Raises UploadError: 409 when ``at`` is not where the upload stands or somebody else is
    writing, 413 when more bytes arrive than were announced.
    """

    def __init__(self, upload_id: str, at: int) -> None:
        self._upload = info(upload_id)
        self._path = _folder(upload_id) / _PART
        self._at = at
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        if not self._path.exists():
            raise UploadError("This upload is complete already.", status=409)
        file = self._path.open("r+b")
        try:
            self._take(file)
        except UploadError:
            file.close()
            raise
        self._file = file
        return self

    def _take(self, file: BinaryIO) -> None:
        """Become the only writer, standing at the end."""
        _lock(file)
        here = file.seek(0, os.SEEK_END)
        if here != self._at:
            raise UploadError(
                f"The upload stands at {here} bytes, not at {self._at}.",
                status=409,
                hint="Ask for the offset with HEAD and go on from there.",
            )

    def write(self, chunk: bytes | bytearray) -> int:
        """Append, and give the new offset."""
        assert self._file is not None
        if self._at + len(chunk) > self._upload.size:
            raise UploadError(
                f"More bytes arrived than the {self._upload.size} announced.", status=413
            )
        if os.fstat(self._file.fileno()).st_nlink == 0:
            raise _unknown(self._upload.id)  # withdrawn: its bytes would be on no account
        with disk_errors():
            self._file.write(chunk)
        self._at += len(chunk)
        return self._at

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._file is not None
        with disk_errors():
            self._file.close()


def complete(upload_id: str) -> Upload:
    """Check length and sha256, and let the file appear. Calling it again gives the same answer.

    Raises UploadError 409 when bytes are missing and 422 when the sha256 differs; the latter
    throws the bytes away, because no later byte can mend them.
    """
    upload = info(upload_id)
    folder = _folder(upload_id)
    if (folder / _FILE).exists():
        return upload
    with _part_of(upload_id) as part:
        _lock(part)
        here = part.seek(0, os.SEEK_END)
        if here != upload.size:
            raise UploadError(
                f"{here} of {upload.size} bytes have arrived.",
                status=409,
                hint="Send the rest, then complete it.",
            )
        part.seek(0)
        found = hashlib.file_digest(part, "sha256").hexdigest()
        if upload.sha256 in (None, found):
            return _finish(replace(upload, sha256=found), part)
    delete(upload_id)
    raise UploadError(
        f"The bytes that arrived have the sha256 {found[:12]}…, "
        f"not the announced {str(upload.sha256)[:12]}….",
        status=422,
        hint="Something changed the file on its way: upload it again.",
    )


def _part_of(upload_id: str) -> BufferedRandom:
    """What has arrived. Raises NotFound, and UploadError 409 where somebody completes it now."""
    try:
        return (_folder(upload_id) / _PART).open("r+b")
    except FileNotFoundError as error:
        info(upload_id)
        raise UploadError(
            "This upload is being completed.", status=409, hint="Ask once more."
        ) from error


def _finish(done: Upload, part: BinaryIO) -> Upload:
    """Write what was found, then rename: a file that is there is whole and described."""
    folder = _folder(done.id)
    with disk_errors():
        os.fsync(part.fileno())
        write_atomically(folder / _META, dumps(done))
        failpoint("upload: described")
        (folder / _PART).rename(folder / _FILE)
        failpoint("upload: renamed")
        fsync(folder)
    return done


def save(name: str, data: bytes) -> Upload:
    """A small file that is in memory already, kept as a finished upload."""
    upload = create(name, len(data))
    with Appender(upload.id, 0) as part:
        part.write(data)
    return complete(upload.id)


def path_of(upload_id: str) -> Path:
    """The finished file. Raises NotFound when there is none, UploadError while it is partial."""
    upload, file = info(upload_id), _folder(upload_id) / _FILE
    if file.is_file():
        return file
    here = offset(upload_id)
    raise UploadError(
        f"The upload of {upload.name} is not complete: {here} of {upload.size} bytes arrived.",
        status=409,
        hint="Resume it, then complete it.",
    )


def delete(upload_id: str) -> None:
    """Remove an upload and its bytes. Raises NotFound."""
    info(upload_id)
    shutil.rmtree(_folder(upload_id))


def sweep(now: Callable[[], float] = time.time) -> int:
    """Remove uploads untouched for a day; models made from them keep their own links.

    One that is being written to stays, whatever the clock says.
    """
    home = settings().uploads_dir
    if not home.is_dir():
        return 0
    gone = 0
    for folder in home.iterdir():
        try:
            newest = max(item.stat().st_mtime for item in (folder, *folder.glob("*")))
        except FileNotFoundError:
            continue  # somebody is at it
        old = _ID.fullmatch(folder.name) and now() - newest > EXPIRES_AFTER_S
        if old and not _being_written(folder):
            shutil.rmtree(folder, ignore_errors=True)
            gone += 1
    return gone


def _being_written(folder: Path) -> bool:
    """Whether somebody has the upload open to append to it."""
    try:
        with (folder / _PART).open("r+b") as part:
            _lock(part)
    except FileNotFoundError:
        return False
    except UploadError:
        return True
    return False


def clean_name(name: str) -> str:
    """A file name fit to be shown and stored: one line, no folders, no control or bidi marks."""
    last = re.split(r"[\\/]", name)[-1]
    kept = "".join(c for c in last if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co", "Cn"})
    return unicodedata.normalize("NFC", kept).strip(" .")[-_NAME_LIMIT:] or "model"


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Announce alone, across threads and processes: two must not both take the last room."""
    home = settings().uploads_dir
    with disk_errors():
        home.mkdir(parents=True, exist_ok=True)
    folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _check_room(size: int, by: str) -> None:
    """Refuse what is over a quota, or would bring the disk below its floor once all arrived."""
    home = settings().uploads_dir
    unfinished = [folder.name for folder in home.iterdir() if (folder / _PART).exists()]
    known = [upload for upload in map(_known, unfinished) if upload]
    quotas.check(size, by, len(unfinished), known)
    quotas.check_disk(size, sum(_missing(upload_id) for upload_id in unfinished))


def _known(upload_id: str) -> Upload | None:
    """What was announced; None for one that vanishes while we look."""
    try:
        return info(upload_id)
    except NotFound:
        return None


def _missing(upload_id: str) -> int:
    """Bytes an upload still waits for; 0 for one that vanishes while we look."""
    try:
        return info(upload_id).size - offset(upload_id)
    except NotFound:
        return 0


def _folder(upload_id: str) -> Path:
    """The folder of an id. An id that is not one of ours never becomes a path."""
    if not _ID.fullmatch(upload_id):
        raise _unknown(upload_id)
    return settings().uploads_dir / upload_id


def _unknown(upload_id: str) -> NotFound:
    return NotFound(
        f"There is no upload {clean_name(upload_id)[:40]!r}.",
        hint="It was removed or has expired (uploads are kept for a day): upload the file again.",
    )


def _read_json(path: Path) -> object:
    return json.loads(path.read_text(encoding="utf-8"))


def _lock(file: BinaryIO) -> None:
    """Take the file for this writer; released when it is closed."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UploadError(
            "This upload is being written to by another request.",
            status=409,
            hint="Wait a moment, then ask for the offset with HEAD.",
        ) from error
