"""What the host does when disk or database refuse it for a while: it says so, and goes on.

A full disk is emptied, a locked database let go; neither is a reason to lose a job.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.exc import OperationalError

from engine.errors import LibraryUnusable, StorageFull
from engine.settings import settings

_log = logging.getLogger("assay.host")
_PASSING = (StorageFull, LibraryUnusable, OperationalError)
_AGAIN_S = 1.0
_SAY_EVERY_S = 60.0
_ROOM_BYTES = 1 << 20
"""Of the disk: what it takes to write down how a step and its job ended."""

stopping = threading.Event()


class HostStopping(BaseException):
    """The host is going down: the job is left as it is, to go on when a host is back.

    Not an Exception, so that neither a pipeline nor DBOS takes it for the end of a step.
    """


@contextmanager
def told() -> Iterator[None]:
    """Do without what disk or database refuse just now; it is done again in a moment anyway."""
    try:
        yield
    except _PASSING as error:
        _say(f"Put off: {error}")


def insist(change: Callable[[], bool]) -> bool:
    """Do it again until disk and database let it be done. Raises HostStopping."""
    while True:
        wait_for_room()
        try:
            return change()
        except _PASSING as error:
            _say(f"Tried again: {error}")
            _pause(error)


def wait_for_room() -> None:
    """Wait until an end can be written down: DBOS would lose it. Raises HostStopping."""
    while shutil.disk_usage(settings().data_dir).free < _ROOM_BYTES:
        _say("The disk is full: what ended is written down when there is room.")
        _pause()


def _pause(why: Exception | None = None) -> None:
    if stopping.wait(_AGAIN_S):
        raise HostStopping from why


_said: dict[str, float] = {}


def _say(sentence: str) -> None:
    """At most once a minute: the log may lie on the same disk."""
    now = time.monotonic()
    if now - _said.get(sentence, -_SAY_EVERY_S) >= _SAY_EVERY_S:
        _said[sentence] = now
        _log.warning("%s", sentence)
