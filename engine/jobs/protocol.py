"""What crosses between processes: tasks, their progress and their ends. JSON only.

A task's folder holds ``request.json`` → ``events.jsonl`` → ``result.json``, ``worker.log`` and
``out/``: protocol, progress feed, evidence and reproduction in one place.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from engine.errors import Reason

REQUEST, EVENTS, RESULT, LOG, OUT = (
    "request.json",
    "events.jsonl",
    "result.json",
    "worker.log",
    "out",
)
EVIDENCE = REQUEST, EVENTS, RESULT, LOG
"""What stays of a task's folder."""
TEXT = "text"
"""The key of a job's result under which a writing model's answer grows."""
LONGEST_TEXT = 64 * 1024
"""Of an answer, at most this much is kept."""
NO_ROOM = errno.ENOSPC
"""Exit status of a worker that found no room on the disk for its result."""

NOT_CONFINED = 126
"""Exit status of a worker that could not be held as it was to be, and ran nothing."""


class JobState(StrEnum):
    """Where a job is. Written by the host, never read out of logs."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a task may take before it is stopped.

    ``stall_s``: seconds without any sign of life (an event, or CPU time used by the worker).
    """

    wall_s: float = 900.0
    stall_s: float = 120.0
    memory_bytes: int | None = None


PATIENT = Limits(wall_s=6 * 3600, stall_s=300)
"""For what reads a person's data to its end: how much there is, nobody knows before."""


@dataclass(frozen=True, slots=True)
class Task:
    """One isolated step: a function of ``engine.tasks`` by name, and its JSON request.

    ``label`` is the sentence a person reads while it runs. ``environment`` is set before the
    worker's first import (thread counts, for instance). ``repeatable`` is False for measurements:
    one that died with its host is reported, not silently run again.
    """

    name: str
    label: str
    request: Mapping[str, Any]
    limits: Limits = Limits()
    environment: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Event:
    """One line of ``events.jsonl``: a sentence, and how far, 0 to 1, where that is known.

    ``text`` is what a writing model has added since the last event.
    """

    at: float
    message: str
    fraction: float | None = None
    text: str = ""


class Context(Protocol):
    """What a task function gets beside its request."""

    @property
    def out(self) -> Path:
        """The folder to write artifacts into."""
        ...

    def progress(self, message: str, fraction: float | None = None, *, text: str = "") -> None:
        """Say what is happening; ``text`` is added to what the job shows of an answer."""
        ...


class Steps(Protocol):
    """What a pipeline runs its steps on: durable in the host, direct in the shell."""

    @property
    def job_id(self) -> str: ...

    def run(self, task: Task) -> dict[str, Any]:
        """Run a task in a fresh worker and give its result. Raises EngineError.

        The result has the worker's JSON; its ``out`` folder is ``folder(task)``.
        """
        ...

    def out(self, result: Mapping[str, Any]) -> Path:
        """The ``out`` folder of the task that gave this result."""
        ...

    def publish(self, result: Mapping[str, Any]) -> None:
        """Show a partial result of the job to whoever watches (small JSON)."""
        ...

    def plan(self, labels: tuple[str, ...]) -> None:
        """Announce the steps to come, by label, so that progress can be shown as k of n."""
        ...

    def alone(self) -> AbstractContextManager[None]:
        """Hold the machine alone: while inside, no other task of Assay runs on it."""
        ...


@dataclass(frozen=True, slots=True)
class StepView:
    """One step of a job as a page shows it."""

    label: str
    state: JobState
    message: str = ""
    fraction: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as a page shows it. ``result`` is what the job gave so far, partial while it runs.

    ``kind`` is one of those in ``engine.jobs.host.kinds``; times are ISO 8601 UTC; ``owner`` is
    the id of whoever asked for it.
    """

    id: str
    kind: str
    title: str
    state: JobState
    reason: Reason | None
    message: str
    hint: str
    steps: tuple[StepView, ...]
    result: Mapping[str, Any]
    created_at: str
    started_at: str | None
    ended_at: str | None
    log_tail: str = ""
    owner: str = ""
