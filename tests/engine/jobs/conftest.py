"""Real workers running the tests' own tasks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.jobs.isolation import grants, launching
from engine.jobs.protocol import Event, Limits, Task
from engine.jobs.run import run_task
from tests.engine.jobs.hosting import Start, hosts

PATIENT = Limits(wall_s=60, stall_s=60)
PROBE_WORKER = "tests.engine.jobs.probe_worker"
TESTS = Path(__file__).parents[2]


@pytest.fixture
def probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Run one probe task to its end in ``tmp_path/task``."""
    monkeypatch.setattr(launching, "WORKER", PROBE_WORKER)
    monkeypatch.setattr(grants, "CODE", (*grants.CODE, TESTS))

    def run(
        do: str,
        *,
        limits: Limits = PATIENT,
        cancelled: Callable[[], bool] = lambda: False,
        on_event: Callable[[Event], None] = lambda event: None,
        environment: dict[str, str] | None = None,
        **request: Any,
    ) -> dict[str, Any]:
        task = Task("probe", do, {"do": do, **request}, limits, environment or {})
        return run_task(task, tmp_path / "task", cancelled, on_event)

    return run


@pytest.fixture
def start(workspace: Path) -> Iterator[Start]:
    """Start a host on this test's own data folder; all are ended with the test."""
    with hosts(workspace) as run:
        yield run


def alive(folder: Path) -> list[bytes]:
    """The processes whose command line names a folder: by name, since a worker may count its own
    processes from 1."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            said = line.read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in said:
            found.append(said)
    return found
