"""Workers that are killed from outside, or by the kernel, and what is said of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from engine import kernel
from engine.errors import Reason, TaskFailed
from engine.jobs import run
from engine.jobs.isolation import launching
from engine.jobs.protocol import Event, Limits
from tests.engine.jobs import little_memory
from tests.engine.jobs.conftest import alive

ROOT = Path(__file__).parents[3]
Probe = Callable[..., dict[str, Any]]


def test_the_kernels_end_for_want_of_memory_is_called_that(tmp_path: Path) -> None:
    """A real one: the group's limit, and a worker too quick for every look."""
    done = subprocess.run(
        [sys.executable, "-m", little_memory.__name__, str(tmp_path / "task")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode == little_memory.CANNOT:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stderr
    reason, message, hint = done.stdout.splitlines()
    assert reason == Reason.OUT_OF_MEMORY
    assert "no memory left" in message and "smaller model" in hint
    assert not alive(tmp_path)


@pytest.mark.parametrize(
    ("before", "after", "how", "words"),
    [
        ((3, 7), (4, 8), Reason.OUT_OF_MEMORY, "try a smaller model"),
        ((3, 7), (3, 8), Reason.CRASHED, "perhaps it was that"),
        ((3, 7), (3, 7), Reason.CRASHED, "not for want of memory"),
        ((None, 7), (None, 8), Reason.CRASHED, "perhaps it was that"),
        ((None, 7), (None, 7), Reason.CRASHED, "counts none"),
    ],
)
def test_a_kill_is_called_what_can_be_known_of_it(
    before: tuple[int | None, int], after: tuple[int | None, int], how: Reason, words: str
) -> None:
    said = run._killed(kernel.Ended(*before), kernel.Ended(*after))
    assert said.reason is how
    assert words in said.hint


@pytest.mark.parametrize(
    ("groups", "file", "counted"),
    [
        ("0::/user/assay", "user/assay/memory.events", 5),
        ("0::/kubepods/x", "memory.events", 5),  # as a container sees its own
        ("4:memory:/a/b\n0::/", "memory/a/b/memory.oom_control", 5),
        ("4:memory:/docker/x\n0::/", "memory/memory.oom_control", 5),
        ("0::/", "elsewhere", None),
    ],
)
def test_the_count_is_that_of_our_own_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: str, file: str, counted: int | None
) -> None:
    monkeypatch.setattr(kernel, "_GROUP", tmp_path / "fs")
    monkeypatch.setattr(kernel, "_OWN_GROUPS", tmp_path / "groups")
    (tmp_path / "groups").write_text(groups + "\n")
    told = tmp_path / "fs" / file
    told.parent.mkdir(parents=True)
    told.write_text("under_oom 0\noom 9\noom_kill 5\n")
    assert kernel.ended_for_memory().ours == counted


def test_a_worker_goes_before_the_host_where_memory_runs_out(probe: Probe) -> None:
    own = int(Path("/proc/self/oom_score_adj").read_text())
    assert probe("score")["score"] > own


def test_a_worker_killed_from_outside_is_said_to_be(probe: Probe, tmp_path: Path) -> None:
    def kill(event: Event) -> None:
        for pid in _pids(tmp_path / "task"):
            with suppress(ProcessLookupError):  # it went with the one before it
                os.kill(pid, signal.SIGKILL)

    with pytest.raises(TaskFailed, match="SIGKILL") as caught:
        probe("sleep", seconds=600, on_event=kill)
    assert caught.value.reason is Reason.CRASHED
    assert not alive(tmp_path)


@pytest.mark.parametrize("whom", ["the worker", "all of it"])
def test_a_worker_that_was_stopped_is_ended(probe: Probe, tmp_path: Path, whom: str) -> None:
    """By SIGSTOP, which no process can refuse; also together with the sandbox around it."""

    def stop(event: Event) -> None:
        pids = _pids(tmp_path / "task")
        for pid in pids if whom == "all of it" else pids[-1:]:
            os.kill(pid, signal.SIGSTOP)

    with pytest.raises(TaskFailed, match="no sign of life") as caught:
        probe("sleep", seconds=600, on_event=stop, limits=Limits(wall_s=60, stall_s=1))
    assert caught.value.reason is Reason.STALLED
    assert not alive(tmp_path)


def _pids(folder: Path) -> list[int]:
    """The processes of a task, its sandbox first."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            said = line.read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in said and launching.WORKER.encode() in said:
            found.append(int(line.parent.name))
    return sorted(found)
