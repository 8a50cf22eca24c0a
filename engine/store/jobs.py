"""The record of jobs that pages read. Every change is one statement, so that no two can cross.

A job is queued, then running, then ended: a change of state says from where it may come, and one
that comes from elsewhere changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from engine.access import who
from engine.errors import NotFound, Reason
from engine.jobs.protocol import JobState, StepView
from engine.records import dump, parse
from engine.store import owners
from engine.store.database import insert_new, now, transaction
from engine.store.schema import job as table

_OPEN = (JobState.QUEUED, JobState.RUNNING)
_COMES_FROM: Mapping[JobState, tuple[JobState, ...]] = {
    JobState.RUNNING: _OPEN,  # running again: resumed by a host that came back
    JobState.DONE: (JobState.RUNNING,),
    JobState.FAILED: _OPEN,
    JobState.CANCELLED: _OPEN,
}


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as stored. ``handed_over``: the durable engine knows of it. Times: ISO 8601 UTC.

    ``owner`` is the id of whoever submitted it, and what it makes is theirs.
    """

    id: str
    kind: str
    title: str
    request: dict[str, Any]
    state: JobState
    handed_over: bool
    cancel_requested: bool
    reason: Reason | None
    message: str
    hint: str
    steps: tuple[StepView, ...]
    result: dict[str, Any]
    created_at: str
    started_at: str | None
    ended_at: str | None
    owner: str


def add(job_id: str, kind: str, title: str, request: Mapping[str, Any]) -> bool:
    """A new queued job, of whoever asks. False when that id is taken."""
    return insert_new(
        table,
        id=job_id,
        kind=kind,
        title=title,
        request=dict(request),
        state=JobState.QUEUED.value,
        steps=[],
        result={},
        created_at=now(),
        owner=who().id,
    )


def find(job_id: str) -> JobRow | None:
    """The job of that id, if there is one that whoever asks may see."""
    query = owners.within(sa.select(table).where(table.c.id == job_id), table)
    with transaction() as connection:
        row = connection.execute(query).one_or_none()
    return _row(row) if row is not None else None


def load(job_id: str) -> JobRow:
    """The job of that id. Raises NotFound."""
    row = find(job_id)
    if row is None:
        raise NotFound("There is no such job.", hint="Start it again from its page.")
    return row


def recent(limit: int = 50) -> tuple[JobRow, ...]:
    """The newest jobs first, of those that whoever asks may see."""
    newest = sa.select(table).order_by(table.c.created_at.desc(), table.c.id).limit(limit)
    return _select(owners.within(newest, table))


def unfinished() -> tuple[JobRow, ...]:
    """Every job that has not ended, whoever's it is, oldest first."""
    open_states = [state.value for state in JobState if not state.ended]
    return _select(
        sa.select(table).where(table.c.state.in_(open_states)).order_by(table.c.created_at)
    )


def to_hand_over() -> tuple[JobRow, ...]:
    """Jobs that have not ended and that the durable engine does not know of, oldest first."""
    return tuple(row for row in unfinished() if not row.handed_over)


def mark_handed_over(job_id: str, known: bool = True) -> None:
    """Remember that the durable engine has it, or has it no more."""
    _change(job_id, handed_over=known)


def start(job_id: str) -> bool:
    """Mark as running, also when it is resumed. False when it ended meanwhile (cancelled)."""
    return _move(
        job_id,
        JobState.RUNNING,
        started_at=sa.func.coalesce(table.c.started_at, now()),
    )


def progress(job_id: str, steps: tuple[StepView, ...], result: Mapping[str, Any]) -> None:
    """Show how far a running job is."""
    _change(job_id, steps=dump(steps), result=dict(result))


def finish(
    job_id: str,
    state: JobState,
    *,
    reason: Reason | None = None,
    message: str = "",
    hint: str = "",
    result: Mapping[str, Any] | None = None,
) -> bool:
    """End a job. The first end stands: False for a later one, and for one it cannot come to."""
    values: dict[str, Any] = {
        "reason": reason.value if reason else None,
        "message": message,
        "hint": hint,
        "ended_at": now(),
    }
    if result is not None:
        values["result"] = dict(result)
    return _move(job_id, state, **values)


def request_cancel(job_id: str) -> None:
    """Ask for a job to stop: a queued one ends at once, a running one when its host sees it."""
    with transaction() as connection:
        queued = connection.execute(
            sa.update(table)
            .where(table.c.id == job_id, table.c.state == JobState.QUEUED.value)
            .values(
                cancel_requested=True,
                state=JobState.CANCELLED.value,
                reason=Reason.CANCELLED.value,
                message="Cancelled before it started.",
                ended_at=now(),
            )
        ).rowcount
    if not queued:
        _change(job_id, cancel_requested=True)


def cancel_requested(job_id: str) -> bool:
    """Whether someone asked for it to stop."""
    query = sa.select(table.c.cancel_requested).where(table.c.id == job_id)
    with transaction() as connection:
        return bool(connection.scalar(query))


def _move(job_id: str, state: JobState, **values: Any) -> bool:
    """Bring a job to a state. False where it is in none that leads there."""
    return _change(job_id, _COMES_FROM[state], state=state.value, **values)


def _change(job_id: str, states: tuple[JobState, ...] = _OPEN, **values: Any) -> bool:
    """Change a job that is in one of these states. False when it is in none, or not there."""
    within = table.c.state.in_([state.value for state in states])
    change = sa.update(table).where(table.c.id == job_id, within)
    with transaction() as connection:
        return bool(connection.execute(change.values(**values)).rowcount)


def _select(query: sa.Select[Any]) -> tuple[JobRow, ...]:
    with transaction() as connection:
        return tuple(_row(row) for row in connection.execute(query))


def _row(row: sa.Row[Any]) -> JobRow:
    values = dict(row._mapping)
    return JobRow(
        **{
            **values,
            "state": JobState(values["state"]),
            "reason": Reason(values["reason"]) if values["reason"] else None,
            "steps": parse(tuple[StepView, ...], values["steps"]),
        }
    )
