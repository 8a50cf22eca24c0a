"""What a pipeline runs its steps on: each task in its own folder, worker and turn on the machine.

``DirectSteps`` runs them at once, for the shell. The host's ``DurableSteps`` adds memory: a step
that has an end is never run again, whatever happened to the host in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import EngineError, Reason, TaskCancelled, TaskFailed
from engine.files import remove
from engine.jobs import evidence, locks
from engine.jobs.board import Board
from engine.jobs.protocol import (
    EVIDENCE,
    LONGEST_TEXT,
    OUT,
    TEXT,
    Event,
    JobState,
    StepView,
    Task,
)
from engine.jobs.run import run_task
from engine.settings import settings

_ATTEMPTS = 2
_TICK_S = 0.2
_TICK_ALONE_S = 0.5

Show = Callable[[tuple[StepView, ...], Mapping[str, Any]], None]
"""Called with the steps and the job's partial result whenever they may have changed."""


@dataclass(slots=True)
class DirectSteps:
    """Runs tasks at once, in this process's name. ``cancelled`` is asked several times a second."""

    id: str
    show: Show
    cancelled: Callable[[], bool] = lambda: False
    board: Board = field(default_factory=Board)
    partial: dict[str, Any] = field(default_factory=dict)
    _number: int = 0
    _alone: bool = False

    @property
    def job_id(self) -> str:
        """The id of the job, which is also its folder's name."""
        return self.id

    def plan(self, labels: tuple[str, ...]) -> None:
        """Announce the steps to come."""
        self.board.plan(labels)
        self._show()

    def publish(self, result: Mapping[str, Any]) -> None:
        """Show a partial result of the job."""
        self.partial = dict(result)
        self._show()

    def out(self, result: Mapping[str, Any]) -> Path:
        """The ``out`` folder of the task that gave this result."""
        return Path(result[evidence.FOLDER]) / OUT

    def run(self, task: Task) -> dict[str, Any]:
        """Run a task in a fresh worker and give its result. Raises the error it ended with."""
        self._number += 1
        home = job_folder(self.id) / f"{self._number:02d}-{task.name}"
        self.board.begin(task.label)
        self._show()
        try:
            result = self.carry_out(task, home)
        except EngineError as error:
            stopped = isinstance(error, TaskCancelled)
            self.board.end(JobState.CANCELLED if stopped else JobState.FAILED, error.message)
            raise
        else:
            self.board.end(JobState.DONE)
        finally:
            self._show()
        return result

    def carry_out(self, task: Task, home: Path) -> dict[str, Any]:
        """How a task gets from its folder to its result: here, by running it now."""
        return self.attempt(task, home)

    def attempt(self, task: Task, home: Path) -> dict[str, Any]:
        """Run a task in the next attempt's folder, when it is its turn on the machine."""
        turn = nullcontext() if self._alone else locks.shared(self._wait)
        with turn:
            if self._stopped():
                raise TaskCancelled
            folder = next_attempt(task, home)
            tick_s = _TICK_ALONE_S if self._alone else _TICK_S
            try:
                return run_task(task, folder, self._stopped, self._hear, tick_s=tick_s)
            except EngineError:
                # At once: on a full disk nothing can be written down before there is room.
                _clear(folder)
                raise

    def _hear(self, event: Event) -> None:
        self.board.hear(event)
        if event.text:
            so_far = str(self.partial.get(TEXT, "")) + event.text
            self.partial = {**self.partial, TEXT: so_far[:LONGEST_TEXT]}

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the machine alone: while inside, no other task of Assay runs on it."""
        with locks.alone(self._wait):
            self._alone = True
            try:
                yield
            finally:
                self._alone = False

    def _wait(self, sentence: str) -> None:
        self.board.say(sentence)
        if self._stopped():
            raise TaskCancelled

    def _stopped(self) -> bool:
        self._show()
        return self.cancelled()

    def _show(self) -> None:
        self.show(self.board.views, self.partial)


def job_folder(job_id: str) -> Path:
    """Where a job's task folders lie."""
    return settings().jobs_dir / job_id


def next_attempt(task: Task, home: Path) -> Path:
    """The folder of a task's next attempt. Raises TaskFailed when there may be no further one."""
    tried = len(list(home.glob("attempt-*")))
    if tried and not task.repeatable:
        raise TaskFailed(
            "The host stopped while this was being measured.",
            how=Reason.WORKER_LOST,
            hint="A repeat is a new measurement: start it again.",
        )
    if tried >= _ATTEMPTS:
        raise TaskFailed(
            f"The host stopped {tried} times during this step; it is not tried again.",
            how=Reason.WORKER_LOST,
            hint="Look at the log, then start the job again.",
        )
    return home / f"attempt-{tried + 1}"


def clear_outputs(job_id: str) -> None:
    """Drop what an ended job's workers wrote: what counts was published; the evidence stays."""
    for attempt in job_folder(job_id).glob("*/attempt-*"):
        _clear(attempt)


def _clear(attempt: Path) -> None:
    """Leave the evidence of a folder in which a worker may have written whatever it liked."""
    if attempt.is_symlink() or not attempt.is_dir():
        return
    with suppress(OSError):
        attempt.chmod(0o700)
        for left in list(attempt.iterdir()):
            if left.name not in EVIDENCE or left.is_symlink() or not left.is_file():
                remove(left)
    evidence.cap(attempt)


def latest_log(job_id: str) -> str:
    """The tail of the log of the task that ran last."""
    attempts = sorted(job_folder(job_id).glob("*/attempt-*"), key=_by_number)
    return evidence.log_tail(attempts[-1]) if attempts else ""


def _by_number(attempt: Path) -> tuple[int, int]:
    number = int(attempt.parent.name.partition("-")[0])
    return number, int(attempt.name.rpartition("-")[2])
