"""What a worker left behind, read as what it is: the word of a process that may be hostile."""

from __future__ import annotations

import json
import os
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import (
    BadRequest,
    EngineError,
    InvalidModel,
    Reason,
    StorageFull,
    TaskCancelled,
    TaskFailed,
    UnsafeModel,
    UnsupportedModel,
)
from engine.jobs.protocol import EVENTS, EVIDENCE, LOG, OUT, REQUEST, RESULT, Event

FOLDER = "_folder"
"""The key under which a result says which task folder it came from."""

_LARGEST_RESULT = 64 * 1024**2
_MOST_AT_ONCE = 64 * 1024
_LONGEST_MESSAGE = 300
_LONGEST_TEXT = 4096
_TAIL = 4096
_LOG_CAP = 8 * 1024**2
_LOG_KEPT = 1024**2
_ERRORS: dict[Reason, type[EngineError]] = {
    Reason.INVALID_MODEL: InvalidModel,
    Reason.UNSAFE_MODEL: UnsafeModel,
    Reason.UNSUPPORTED: UnsupportedModel,
    Reason.BAD_REQUEST: BadRequest,
    Reason.DISK_FULL: StorageFull,
}


def read_result(folder: Path) -> dict[str, Any] | None:
    """The task's result; None when there is none. Raises the error it ended with, if it did.

    A worker may have put anything in the place of its own folder: what follows reads only below a
    real one, and grants only such a one to others.
    """
    out = folder / OUT
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise _unreadable("its folder was replaced")
    try:
        text = _read(folder / RESULT, _LARGEST_RESULT)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(str(error)) from error
    try:
        outcome = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise _unreadable(f"not JSON ({error})") from error
    if isinstance(outcome, dict) and isinstance(outcome.get("error"), dict):
        raise to_error(outcome["error"])
    if not isinstance(outcome, dict) or not isinstance(outcome.get("result"), dict):
        raise _unreadable("neither a result nor an error")
    return {**outcome["result"], FOLDER: str(folder)}


def made(out: Path, said: object) -> Path:
    """What a worker says it made, below its ``out``: plain files and folders, nothing that leads
    elsewhere. Raises TaskFailed: what is published is hashed, measured and given away by us.
    """
    path, home = out / str(said), out.resolve()
    if out.is_symlink() or home not in path.resolve().parents or ".." in path.parts:
        raise _unreadable("it names something outside its folder")
    for folder, folders, files in os.walk(path.parent):
        for name in (*folders, *files):
            mode = os.lstat(os.path.join(folder, name)).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise _unreadable("it left a link or a device among its files")
            if mode & (stat.S_ISUID | stat.S_ISGID):
                raise _unreadable("it left a file that would run as somebody else")
    return path


def from_error(error: EngineError) -> dict[str, str]:
    """An error as the JSON that ``to_error`` reads."""
    return {"reason": error.reason.value, "message": error.message, "hint": error.hint}


def to_error(fields: dict[str, Any]) -> EngineError:
    """The error that these three fields describe."""
    name, message, hint = (str(fields.get(key, "")) for key in ("reason", "message", "hint"))
    reason = Reason(name) if name in set(Reason) else Reason.INTERNAL
    if reason is Reason.CANCELLED:
        return TaskCancelled(plain(message))
    kind = _ERRORS.get(reason)
    if kind is None:
        return TaskFailed(plain(message), how=reason, hint=plain(hint))
    return kind(plain(message), hint=plain(hint))


@dataclass(slots=True)
class Events:
    """The progress feed of a task folder, read on from where it was left."""

    folder: Path
    _offset: int = field(default=0)

    def new(self) -> Iterator[Event]:
        """The events since the last call. Lines that are no events are passed over."""
        try:
            text = _read(self.folder / EVENTS, _MOST_AT_ONCE, self._offset)
        except OSError:
            return
        endless = len(text) == _MOST_AT_ONCE and b"\n" not in text
        whole = b"" if endless else text[: text.rfind(b"\n") + 1]
        self._offset += len(text) if endless else len(whole)
        for line in whole.splitlines():
            event = _event(line)
            if event is not None:
                yield event


def log_tail(folder: Path) -> str:
    """The end of the worker's log, at most 4 kB, control characters taken out."""
    try:
        size = (folder / LOG).lstat().st_size
        tail = _read(folder / LOG, _TAIL, max(0, size - _TAIL))
    except OSError:
        return ""
    return plain(tail.decode("utf-8", "replace"), longest=_TAIL, keep="\n\t")


def cap(folder: Path) -> None:
    """What stays of an ended task's folder is small, whatever its worker made of it."""
    for name in EVIDENCE:
        with suppress(OSError):
            facts = (folder / name).lstat()
            too_large = name in (REQUEST, RESULT) and facts.st_size > _LARGEST_RESULT
            if too_large or facts.st_nlink > 1:  # a second name for what is cut, or for another's
                (folder / name).unlink()
    for name in (LOG, EVENTS):
        _cut(folder / name)


def cap_log(folder: Path) -> None:
    """Cut a log that a worker floods. It goes on appending after the cut."""
    _cut(folder / LOG)


def _cut(path: Path) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return  # its own file, which it removed or made a link of: then there is none
    try:
        facts = os.fstat(handle)
        if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1 and facts.st_size > _LOG_CAP:
            os.ftruncate(handle, _LOG_KEPT)
    finally:
        os.close(handle)


def plain(text: str, longest: int = _LONGEST_MESSAGE * 4, keep: str = "") -> str:
    """Text without control and direction characters, cut to ``longest``."""
    kept = (c for c in text if c in keep or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
    return "".join(kept)[:longest]


def _read(path: Path, most: int, offset: int = 0) -> bytes:
    """Bytes of a plain file: no link of either kind, no pipe. Too large a one is an OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1:
            raise OSError("not a plain file of its own")
        if path.name == RESULT and facts.st_size > most:
            raise OSError(f"{facts.st_size} bytes, more than the {most} allowed")
        file.seek(offset)
        return file.read(most)


def _event(line: bytes) -> Event | None:
    try:
        fields = json.loads(line, parse_constant=_refuse)
        fraction = fields.get("fraction")
        return Event(
            at=float(fields["at"]),
            message=plain(str(fields["message"]), _LONGEST_MESSAGE),
            fraction=None if fraction is None else min(1.0, max(0.0, float(fraction))),
            text=plain(str(fields.get("text", "")), _LONGEST_TEXT, keep="\n\t"),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a JSON number")


def _unreadable(what: str) -> TaskFailed:
    return TaskFailed(
        f"The worker's result cannot be used: {what}.",
        how=Reason.INTERNAL,
        hint="Try again. If it happens again, the log says what the worker did.",
    )
