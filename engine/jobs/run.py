"""One task, watched from the outside: its limits kept, its end named, its worker never left."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine import kernel
from engine.errors import (
    EngineError,
    NotFound,
    Reason,
    StorageFull,
    TaskCancelled,
    TaskFailed,
)
from engine.files import disk_errors, write_atomically
from engine.jobs import allowance
from engine.jobs.evidence import Events, cap_log, log_tail, read_result
from engine.jobs.isolation import launching
from engine.jobs.isolation.grants import missing
from engine.jobs.isolation.tiers import unavailable
from engine.jobs.protocol import NO_ROOM, REQUEST, Event, Limits, Task

_OF_SIGNALS = 128
_SIGNALS = frozenset(map(int, signal.Signals))


def run_task(
    task: Task,
    folder: Path,
    cancelled: Callable[[], bool],
    on_event: Callable[[Event], None],
    *,
    tick_s: float = 0.2,
) -> dict[str, Any]:
    """Run a task in a fresh worker in ``folder``, which must not exist. Blocks.

    ``cancelled`` is asked every ``tick_s``; the worker's end is seen at once. Raises the error the
    task ended with, TaskCancelled, or TaskFailed saying how the worker ended.
    """
    _refuse_missing(task, None)
    most = task.limits.memory_bytes or allowance.memory()
    before = kernel.ended_for_memory()
    with disk_errors():
        folder.mkdir(parents=True)
        write_atomically(folder / REQUEST, _request(task, most))
        worker = launching.launch(task, folder)
    try:
        status = _watch(worker, _Watch(task, folder, cancelled, on_event, tick_s, most))
    finally:
        launching.end(worker)
    try:
        result = read_result(folder)
        if status == 0 and result is not None:
            return result
        raise _ended_badly(status, folder, before)
    except EngineError as error:
        _refuse_missing(task, error)
        raise
    finally:
        cap_log(folder)  # the last words have been read; much may have come since the last look


def _refuse_missing(task: Task, ended_with: EngineError | None) -> None:
    """Raises NotFound where something is gone that the task reads: whatever it ended with, that is
    the reason."""
    if (noun := missing(task.request)) is not None:
        raise NotFound(
            f"The {noun} this step reads was deleted while the job was under way.",
            hint="Bring or make it again, and start the job again.",
        ) from ended_with


def _request(task: Task, memory_bytes: int) -> str:
    return json.dumps(
        {
            "task": task.name,
            "request": dict(task.request),
            "memory_bytes": memory_bytes,
            "cpu_s": allowance.cpu_seconds(task.limits.wall_s),
        },
        allow_nan=False,
    )


@dataclass(slots=True)
class _Watch:
    """What is looked at while a worker runs, and since when it has been silent."""

    task: Task
    folder: Path
    cancelled: Callable[[], bool]
    on_event: Callable[[Event], None]
    tick_s: float
    most_bytes: int
    started: float = field(default_factory=time.monotonic)
    alive_at: float = field(default_factory=time.monotonic)
    cpu_ticks: int = 0
    events: Events = field(init=False)

    def __post_init__(self) -> None:
        self.events = Events(self.folder)

    def read_events(self) -> None:
        """Hand on what the worker said since the last time."""
        for event in self.events.new():
            self.alive_at = time.monotonic()
            self.on_event(event)

    def look(self, pid: int) -> None:
        """One look: progress, cancellation, deadlines, memory. Raises to end the task."""
        self.read_events()
        cap_log(self.folder)
        if self.cancelled():
            raise TaskCancelled
        taken = kernel.taken(pid)
        if taken.ticks > self.cpu_ticks:
            self.cpu_ticks, self.alive_at = taken.ticks, time.monotonic()
        allowance.check(taken, self.most_bytes)
        self._check(self.task.limits, time.monotonic())

    def _check(self, limits: Limits, now: float) -> None:
        if now - self.started > limits.wall_s:
            raise TaskFailed(
                f"Stopped after {limits.wall_s:g} s, the longest this step may take.",
                how=Reason.TIMEOUT,
                hint="Try a smaller model, or fewer inputs.",
            )
        if now - self.alive_at > limits.stall_s:
            raise TaskFailed(
                f"Stopped: no sign of life for {limits.stall_s:g} s.",
                how=Reason.STALLED,
                hint="Try again. If it happens again, the log says where it stood still.",
            )


def _watch(worker: subprocess.Popen[bytes], watch: _Watch) -> int:
    """Wait for the worker's end, looking in between. Gives its status, −n for signal n."""
    ended = select.poll()
    handle = os.pidfd_open(worker.pid)
    try:
        ended.register(handle, select.POLLIN)
        while not ended.poll(watch.tick_s * 1000):
            watch.look(worker.pid)
    finally:
        os.close(handle)
    watch.read_events()
    status = worker.wait()
    # Bubblewrap says 128 + n of a worker that signal n ended; any other number is its own.
    return _OF_SIGNALS - status if status - _OF_SIGNALS in _SIGNALS else status


def _ended_badly(status: int, folder: Path, before: kernel.Ended) -> EngineError:
    """The end of a worker that left no result, in words."""
    if status == NO_ROOM:
        return StorageFull()
    if launching.not_confined(status, folder):
        return unavailable(log_tail(folder).strip())
    if status == -signal.SIGKILL:
        return _killed(before, kernel.ended_for_memory())
    if status < 0:
        name = signal.Signals(-status).name if -status in _SIGNALS else f"signal {-status}"
        return TaskFailed(
            f"The worker died ({name}) before it had a result.",
            how=Reason.CRASHED,
            hint="A native library crashed on this model. The log holds its last words.",
        )
    last = next(reversed([line for line in log_tail(folder).splitlines() if line.strip()]), "")
    return TaskFailed(
        f"The worker ended (status {status}) without a result. {last}".strip(),
        how=Reason.CRASHED if status else Reason.INTERNAL,
        hint="Try again. If it happens again, the log holds its last words.",
    )


def _killed(before: kernel.Ended, after: kernel.Ended) -> TaskFailed:
    """By the kernel for want of memory, where that can be told; else only what is known."""
    if after.ours is not None and after.ours > (before.ours or 0):
        return TaskFailed(
            "The machine had no memory left, and the kernel ended the worker.",
            how=Reason.OUT_OF_MEMORY,
            hint="Close other programs, or try a smaller model or batch.",
        )
    if after.all > before.all:
        hint = (
            "Meanwhile memory ran out on this machine: perhaps it was that. Close other programs."
        )
    elif after.ours is None:
        hint = "The kernel counts none that it ended for want of memory: somebody ended it."
    else:
        hint = "It was not for want of memory, says the kernel: a person or a program ended it."
    return TaskFailed(
        "The worker was killed (SIGKILL) before it had a result.", how=Reason.CRASHED, hint=hint
    )
