"""A job comes to each state from where it may, and from nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import store
from engine.jobs.protocol import JobState

ALLOWED = {
    (JobState.QUEUED, JobState.RUNNING),
    (JobState.QUEUED, JobState.FAILED),
    (JobState.QUEUED, JobState.CANCELLED),
    (JobState.RUNNING, JobState.RUNNING),
    (JobState.RUNNING, JobState.DONE),
    (JobState.RUNNING, JobState.FAILED),
    (JobState.RUNNING, JobState.CANCELLED),
}


def bring(job_id: str, state: JobState) -> bool:
    """Ask for a state as the host does."""
    return store.jobs.start(job_id) if state is JobState.RUNNING else store.jobs.finish(
        job_id, state, result={"to": state}
    )  # fmt: skip


@pytest.mark.parametrize("before", JobState)
def test_no_other_change_of_state_is_made(before: JobState, workspace: Path) -> None:
    for after in (state for state in JobState if state is not JobState.QUEUED):
        job_id = f"to-{after}"
        assert store.jobs.add(job_id, "import", "A job", {})
        if before is JobState.DONE:
            bring(job_id, JobState.RUNNING)
        assert before is JobState.QUEUED or bring(job_id, before)
        was = store.jobs.load(job_id)
        assert bring(job_id, after) is ((before, after) in ALLOWED)
        now = store.jobs.load(job_id)
        assert now.state is (after if (before, after) in ALLOWED else before)
        assert (before, after) in ALLOWED or now == was


def test_the_same_id_is_one_job(workspace: Path) -> None:
    assert store.jobs.add("j", "import", "A job", {"a": 1})
    assert not store.jobs.add("j", "import", "Another", {"a": 2})
    assert store.jobs.load("j").request == {"a": 1}
