"""Steps as a person follows them."""

from __future__ import annotations

from engine.jobs.board import Board
from engine.jobs.protocol import Event, JobState


def states(board: Board) -> list[tuple[str, JobState, float | None]]:
    return [(view.label, view.state, view.fraction) for view in board.views]


def test_equal_labels_in_a_row_are_one_step() -> None:
    board = Board()
    board.plan(("Weigh", "Weigh", "Time", "Time", "Time", "Time"))
    for _ in range(2):
        board.begin("Weigh")
        board.end(JobState.DONE)
    board.begin("Time")
    board.end(JobState.DONE)
    board.begin("Time")
    board.hear(Event(0.0, "Half of it", 0.5))
    assert states(board) == [("Weigh", JobState.DONE, 1.0), ("Time", JobState.RUNNING, 0.375)]


def test_a_step_that_was_not_announced_is_shown_where_it_happened() -> None:
    board = Board()
    board.plan(("Convert to B", "Verify"))
    board.begin("Convert to A")
    board.end(JobState.DONE)
    board.begin("Convert to B")
    assert [label for label, _, _ in states(board)] == ["Convert to A", "Convert to B", "Verify"]


def test_a_new_plan_keeps_what_was_begun() -> None:
    board = Board()
    board.plan(("One", "Two"))
    board.begin("One")
    board.end(JobState.DONE)
    board.plan(("Three",))
    assert [label for label, _, _ in states(board)] == ["One", "Three"]


def test_what_never_began_is_skipped_when_the_job_ends() -> None:
    board = Board()
    board.plan(("One", "Two", "Two", "Three"))
    board.begin("One")
    board.end(JobState.FAILED, "It broke.")
    board.begin("Two")
    board.end(JobState.DONE)
    board.close()
    assert [state for _, state, _ in states(board)] == [
        JobState.FAILED,
        JobState.DONE,
        JobState.CANCELLED,
    ]
    assert board.views[0].message == "It broke."
    assert "Skipped" in board.views[2].message


def test_more_tasks_than_planned_stay_below_the_whole() -> None:
    board = Board()
    board.plan(("Time",))
    for _ in range(3):
        board.begin("Time")
        fraction = board.views[0].fraction
        assert fraction is None or fraction < 1
        board.end(JobState.DONE)
    assert states(board) == [("Time", JobState.DONE, 1.0)]
