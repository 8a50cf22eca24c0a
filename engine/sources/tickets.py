"""Upload tickets: a page gives one to its browser, and without one no upload is announced.

A ticket says what it is for, whose it is, how large a file it lets in and until when, under an
HMAC-SHA256 whose key lies in the data folder, readable by its owner alone. It may be used again
until it ends: what comes in is bounded by the quotas and turns of uploads, not by tickets.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import secrets
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine import access
from engine.errors import UploadError
from engine.files import disk_errors, unwritable
from engine.records import dumps, fingerprint, parse
from engine.settings import settings

UPLOAD = "upload"
PERIOD_S = 600
"""A ticket is the same one throughout a period, and good until the end of the next."""
_KEY_FILE = "tickets.key"
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket says. ``most_bytes`` is the largest file, ``until`` in Unix seconds.

    ``user`` is a person's id, empty where nobody logs in.
    """

    purpose: str
    user: str
    session: str
    most_bytes: int
    until: int

    @property
    def holder(self) -> str:
        """Whose turns and quotas an upload counts among: a user's; without logins, a session's."""
        return fingerprint(self.user, "" if self.user else self.session)


def issue(
    session: str,
    user: str | None = None,
    most_bytes: int | None = None,
    now: Callable[[], float] = time.time,
) -> str:
    """A ticket to upload files of up to ``most_bytes``, else of what Assay takes.

    It is for ``user``, else for whoever is asking, and good for one to two periods. Raises
    LibraryUnusable where no key can be kept.
    """
    most = settings().max_upload_bytes if most_bytes is None else most_bytes
    until = (int(now()) // PERIOD_S + 2) * PERIOD_S
    said = Ticket(UPLOAD, access.who().id if user is None else user, session, most, until)
    body = base64.urlsafe_b64encode(dumps(said).encode())
    return f"{body.decode()}.{_mac(body)}"


def check(text: str, size: int, now: Callable[[], float] = time.time) -> Ticket:
    """The ticket, good for whoever is asking and a file of ``size`` bytes.

    Raises UploadError (403, 413). Nothing a ticket says is read before its HMAC is known as ours.
    """
    if not text:
        raise _refused("An upload needs a ticket in the header Upload-Ticket; there is none.")
    body, _, mac = text.encode().rpartition(b".")
    if not hmac.compare_digest(mac, _mac(body).encode()):
        raise _refused("The upload ticket is not one of ours.")
    ticket = parse(Ticket, json.loads(base64.urlsafe_b64decode(body)))
    if ticket.purpose != UPLOAD or ticket.user != access.who().id:
        raise _refused("The upload ticket was given for something else, or to somebody else.")
    if ticket.until <= now():
        raise _refused("The upload ticket has run out.")
    if size > ticket.most_bytes:
        raise UploadError(
            f"This file has {size:,} bytes; its ticket lets in up to {ticket.most_bytes:,}.",
            status=413,
            hint="Choose a smaller file, or put it in the models folder (ASSAY_MODELS).",
        )
    return ticket


def _refused(what: str) -> UploadError:
    return UploadError(what, status=403, hint="The page gives a new one: load it again.")


def _mac(body: bytes) -> str:
    return hmac.digest(_key(), body, "sha256").hex()


def _key() -> bytes:
    """The key of this data folder, made where there is none, or none that is fit to be used."""
    path = settings().data_dir / _KEY_FILE
    try:
        return _read_key(path) or _make_key(path)
    except OSError as error:
        raise unwritable(path.parent, error.strerror) from error


def _read_key(path: Path) -> bytes | None:
    """None where there is no key, or one that others may know, or a cut one: those are removed."""
    try:
        with path.open("rb") as file:
            private = stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077 == 0
            key = file.read()
    except FileNotFoundError:
        return None
    if private and len(key) == _KEY_BYTES:
        return key
    path.unlink(missing_ok=True)
    return None


def _make_key(path: Path) -> bytes:
    """Let a new key appear, whole and private; one that another process was first to make wins."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with disk_errors():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(part, path)
        finally:
            part.unlink(missing_ok=True)
    return path.read_bytes()
