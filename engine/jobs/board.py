"""The steps of a job as a person follows them: planned, running, ended, each with how far."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from engine.jobs.protocol import Event, JobState, StepView

_MEANWHILE = "Skipped: an earlier step did not succeed."


@dataclass(slots=True)
class _Group:
    """Consecutive tasks with one label: ``done`` of ``planned`` have ended."""

    label: str
    planned: int = 1
    done: int = 0
    state: JobState = JobState.QUEUED
    message: str = ""
    fraction: float | None = None
    spent: float = 0.0
    since: float | None = None

    def view(self) -> StepView:
        """This group as a page shows it. While it runs, ``fraction`` is of the whole group."""
        running = time.monotonic() - self.since if self.since is not None else 0.0
        return StepView(
            label=self.label,
            state=self.state,
            message=self.message,
            fraction=self._share(),
            seconds=round(self.spent + running, 2),
        )

    def _share(self) -> float | None:
        if self.state is JobState.DONE:
            return 1.0
        if self.planned == 1 and self.fraction is None:
            return None
        return round(min(1.0, (self.done + (self.fraction or 0.0)) / self.planned), 4)


@dataclass(slots=True)
class Board:
    """All steps of a job, in order. Tasks with equal labels in a row are one step."""

    _groups: list[_Group] = field(default_factory=list)
    _current: _Group | None = None

    @property
    def views(self) -> tuple[StepView, ...]:
        """Every step, as a page shows it."""
        return tuple(group.view() for group in self._groups)

    def plan(self, labels: Sequence[str]) -> None:
        """Announce the steps to come, in place of those announced earlier and not begun."""
        begun = [group for group in self._groups if group.state is not JobState.QUEUED]
        ahead = [_Group(label, planned=len(list(same))) for label, same in groupby(labels)]
        self._groups = begun + ahead

    def begin(self, label: str) -> None:
        """A task begins (or waits to)."""
        group = self._group_for(label)
        self._current = group
        group.state, group.fraction, group.message = JobState.RUNNING, None, ""
        group.planned = max(group.planned, group.done + 1)
        group.since = time.monotonic()

    def hear(self, event: Event) -> None:
        """The running task said something."""
        if self._current is not None:
            self._current.message = event.message
            self._current.fraction = event.fraction

    def say(self, message: str) -> None:
        """Something about the running task that it did not say itself."""
        if self._current is not None:
            self._current.message = message

    def end(self, state: JobState, message: str = "") -> None:
        """The running task ended; its step is done when all of its tasks are."""
        group = self._current
        if group is None or group.since is None:
            return
        group.spent += time.monotonic() - group.since
        group.since, group.fraction = None, None
        group.done += state is JobState.DONE
        whole = state is not JobState.DONE or group.done >= group.planned
        group.state = state if whole else JobState.RUNNING
        group.message = message

    def close(self) -> None:
        """The job ended: what was never begun was skipped, what goes on in name only is over."""
        for group in self._groups:
            if group.state is JobState.QUEUED:
                group.state, group.message = JobState.CANCELLED, _MEANWHILE
            elif group.state is JobState.RUNNING:
                group.state = JobState.DONE if group.done else JobState.CANCELLED

    def _group_for(self, label: str) -> _Group:
        """The running step if it has that label, else the next planned one, else a new one."""
        if self._current is not None and self._current.label == label:
            return self._current
        for group in self._groups:
            if group.label == label and group.state is JobState.QUEUED:
                return group
        made = _Group(label)
        begun = sum(group.state is not JobState.QUEUED for group in self._groups)
        self._groups.insert(begun, made)
        return made
