"""One task in one process: ``python -m engine.jobs.worker FOLDER PARENT_PID [GRANTS]``.

With grants (JSON) it confines itself to them before it reads anything else.

Reads ``request.json``, says how far it is in ``events.jsonl``, and leaves ``result.json`` behind:
``{"result": …}`` or ``{"error": {"reason", "message", "hint"}}``. Knows nothing of jobs.
"""

from __future__ import annotations

import ctypes
import errno
import importlib
import json
import math
import os
import pkgutil
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import engine.tasks
from engine.errors import BadRequest, EngineError, Reason, StorageFull, TaskFailed
from engine.files import write_atomically
from engine.jobs.isolation.grants import Grants
from engine.jobs.isolation.inside import NotConfined, confine
from engine.jobs.protocol import EVENTS, NO_ROOM, NOT_CONFINED, OUT, REQUEST, RESULT, Context

TaskFunction = Callable[[Mapping[str, Any], Context], Mapping[str, Any]]

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LARGEST_FILE = 64 * 1024**3
_MOST_OPEN = 4096
_MOST_THREADS = 8192
_LONGEST_MESSAGE = 300
_MOST_EVENTS = 20_000
_FIRST_TO_GO = 900
"""Of the 1000 by which the kernel's choice can be moved."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ALLOCATION_WORDS = (
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "failed to allocate memory",
    "bad_alloc",
    "out of memory",
)


@dataclass(slots=True)
class WorkerContext:
    """What a task function gets beside its request: where to write, and a way to say how far."""

    folder: Path
    _written: int = field(default=0)

    @property
    def out(self) -> Path:
        """The folder to write artifacts into."""
        return self.folder / OUT

    def progress(self, message: str, fraction: float | None = None, *, text: str = "") -> None:
        """Append one event. Long messages are cut; past the cap, events are dropped."""
        if self._written >= _MOST_EVENTS:
            return
        self._written += 1
        known = fraction is not None and math.isfinite(fraction)
        event = {
            "at": time.time(),
            "message": message[:_LONGEST_MESSAGE],
            "fraction": min(1.0, max(0.0, float(fraction or 0.0))) if known else None,
            **({"text": text} if text else {}),
        }
        with (self.folder / EVENTS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")


def main(folder: Path, parent: int, grants: str = "") -> int:
    """Run the task of a folder. Gives the exit status: 0 when ``result.json`` was written."""
    die_with(parent)
    adopt_orphans()
    be_first_to_go()
    if grants:
        try:
            confine(Grants.from_json(grants))
        except NotConfined as error:
            sys.stderr.write(f"{error}\n")
            return NOT_CONFINED
    request = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    limit_self(request["memory_bytes"], request["cpu_s"])
    try:
        _answer(folder, request)
        sys.stdout.flush()
    except (StorageFull, OSError) as error:
        if not _says_full(error):
            raise
        # Not even the log has room: the status alone says it.
        os._exit(NO_ROOM)
    return 0


def _answer(folder: Path, request: Mapping[str, Any]) -> None:
    """Run the task and write its result, or the error it ended with."""
    context = WorkerContext(folder)
    context.out.mkdir(exist_ok=True)
    try:
        outcome: dict[str, Any] = {
            "result": dict(task_named(request["task"])(request["request"], context))
        }
        text = json.dumps(outcome, allow_nan=False, ensure_ascii=False)
    except BaseException as error:
        traceback.print_exc()
        text = json.dumps({"error": describe(error)})
    write_atomically(folder / RESULT, text)


def die_with(parent: int) -> None:
    """Be killed when the parent dies, so that no orphan ever runs beside its own repeat."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of what this process's children leave behind.

    So it stays below this process, where it is counted; a sandbox keeps that from being undone.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def be_first_to_go() -> None:
    """Where memory runs out, let the kernel end this process and neither host nor web."""
    score = Path("/proc/self/oom_score_adj")
    if int(score.read_text()) < _FIRST_TO_GO:  # to lower it is a right of root's alone
        score.write_text(str(_FIRST_TO_GO))


def limit_self(memory_bytes: int, cpu_s: int) -> None:
    """No core dumps, no endless file or loop, no allocation far beyond what the task may take.

    What all processes of the task take together is watched from outside (``jobs.allowance``).
    """
    # DATA, not AS: a memory-mapped model is not the worker's own memory. Twice: frameworks set
    # aside more than they ever touch.
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: _LARGEST_FILE,
        resource.RLIMIT_DATA: 2 * memory_bytes,
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_NOFILE: _MOST_OPEN,
    }
    if os.environ.get("ASSAY_SANDBOX") == "A":
        # Counted in the worker's own name space; elsewhere it would count its owner's others, too.
        limits[resource.RLIMIT_NPROC] = _MOST_THREADS
    for what, most in limits.items():
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def task_named(name: str) -> TaskFunction:
    """The ``run`` of ``engine/tasks/<name>.py``. The folder is the list."""
    known = sorted(entry.name for entry in pkgutil.iter_modules(engine.tasks.__path__))
    if name not in known:
        raise BadRequest(f"There is no task {name!r}.", hint=f"Known tasks: {', '.join(known)}.")
    function: TaskFunction = importlib.import_module(f"engine.tasks.{name}").run
    return function


def describe(error: BaseException) -> dict[str, str]:
    """An exception as the three fields that leave the worker."""
    if _says_full(error):
        known: EngineError = StorageFull()
    else:
        known = error if isinstance(error, EngineError) else _recognised(error)
    return {"reason": known.reason.value, "message": known.message, "hint": known.hint}


def _says_full(error: BaseException | None) -> bool:
    """Whether it, or what it was raised from, is a full disk: libraries say so in their own way."""
    while error is not None:
        if isinstance(error, StorageFull):
            return True
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        if "no space left on device" in str(error).lower():
            return True
        error = error.__cause__ or error.__context__
    return False


def _recognised(error: BaseException) -> EngineError:
    """What an exception that is not ours means to a person."""
    text = str(error)
    if isinstance(error, MemoryError) or any(words in text.lower() for words in _ALLOCATION_WORDS):
        return TaskFailed(
            "The task needed more memory than it could have.",
            how=Reason.OUT_OF_MEMORY,
            hint="Close other programs, or try a smaller model or batch.",
        )
    last = next((line for line in reversed(text.splitlines()) if line.strip()), "")
    return TaskFailed(
        f"{type(error).__name__}: {last.strip()[:_LONGEST_MESSAGE]}".rstrip(": "),
        how=Reason.INTERNAL,
        hint="Assay did not expect this. The log says where it happened.",
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))
