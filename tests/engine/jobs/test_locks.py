"""The locks: shared together, alone alone, and no one starves."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from engine.jobs import locks


def nobody_waits(sentence: str) -> None:
    pytest.fail(f"waited: {sentence}")


class GaveUp(Exception):
    pass


def gives_up(sentence: str) -> None:
    raise GaveUp(sentence)


def test_tasks_share_the_machine(workspace: Path) -> None:
    with locks.shared(nobody_waits), locks.shared(nobody_waits):
        pass


def test_a_measurement_waits_for_tasks_and_tasks_for_it(workspace: Path) -> None:
    with locks.shared(nobody_waits), pytest.raises(GaveUp, match="other work"):
        locks.alone(gives_up).__enter__()
    with locks.alone(nobody_waits), pytest.raises(GaveUp, match="measurement"):
        locks.shared(gives_up).__enter__()
    with locks.alone(nobody_waits), pytest.raises(GaveUp):
        locks.alone(gives_up).__enter__()
    with locks.alone(nobody_waits):
        pass


def test_a_waiting_measurement_goes_before_later_tasks(workspace: Path) -> None:
    waiting, order = threading.Event(), []

    def measurement() -> None:
        with locks.alone(lambda sentence: waiting.set()):
            order.append("measured")

    def late_task() -> None:
        with locks.shared(lambda sentence: None):
            order.append("task")

    with locks.shared(nobody_waits):
        first = threading.Thread(target=measurement)
        first.start()
        assert waiting.wait(30)
        with pytest.raises(GaveUp):
            locks.shared(gives_up).__enter__()
        second = threading.Thread(target=late_task)
        second.start()
    first.join(30)
    second.join(30)
    assert order == ["measured", "task"]
