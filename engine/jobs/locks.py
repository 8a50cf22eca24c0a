"""Who may use the machine: tasks together, a measurement alone. Locks the kernel keeps.

Two files. ``machine.lock`` is held shared by every task and exclusively by a measurement.
``turnstile.lock`` is passed by whoever wants the first one: a measurement that waits stays in it,
so that new tasks queue up behind it rather than in front.
"""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from engine.files import unwritable
from engine.settings import settings

_POLL_S = 0.1

Waiting = Callable[[str], None]
"""Called while waiting, with a sentence. Raises to give up."""


def shared(waiting: Waiting) -> AbstractContextManager[None]:
    """Use the machine beside other tasks; waits for a measurement to end."""
    return _machine(fcntl.LOCK_SH, waiting, "Waiting for a measurement to finish")


def alone(waiting: Waiting) -> AbstractContextManager[None]:
    """Use the machine alone; waits for every task that runs to end."""
    return _machine(fcntl.LOCK_EX, waiting, "Waiting for other work to finish")


def host_lock() -> Path:
    """The file a host holds while it lives. One host a data folder: two would run a job twice."""
    return settings().data_dir / "host.lock"


def host_tier() -> str | None:
    """The sandbox tier of the host that runs, in which it holds workers; None without a host."""
    return host_lock().read_text(encoding="utf-8") if held(host_lock()) else None


@contextmanager
def single(path: Path) -> Iterator[bool]:
    """Hold ``path`` as the only one on this machine; False when someone else does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _opened(path) as handle:
        yield _try(handle, fcntl.LOCK_EX)


def held(path: Path) -> bool:
    """Whether someone holds ``path`` by ``single``."""
    if not path.exists():
        return False
    with _opened(path) as handle:
        return not _try(handle, fcntl.LOCK_SH)


@contextmanager
def _machine(how: int, waiting: Waiting, sentence: str) -> Iterator[None]:
    folder = lock_folder()
    with _opened(folder / "machine.lock") as machine:
        with _opened(folder / "turnstile.lock") as turnstile:
            _acquire(turnstile, how, waiting, sentence)
            _acquire(machine, how, waiting, sentence)
        yield


def lock_folder() -> Path:
    """Where the locks lie: the same for every Assay of this user on this machine."""
    chosen = os.environ.get("ASSAY_LOCK_DIR") or tempfile.gettempdir()
    folder = Path(chosen) / f"assay-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """A lock file, open; closing it lets the lock go. Never inherited by a worker.

    Raises LibraryUnusable where it cannot be written.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES):
            raise
        raise unwritable(path.parent, error.strerror) from error
    try:
        yield handle
    finally:
        os.close(handle)


def _acquire(handle: int, how: int, waiting: Waiting, sentence: str) -> None:
    while not _try(handle, how):
        waiting(sentence)
        time.sleep(_POLL_S)


def _try(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
