"""Every way a worker can end, with real workers."""

from __future__ import annotations

import json
import os
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.errors import (
    EngineError,
    InvalidModel,
    NotFound,
    Reason,
    StorageFull,
    TaskCancelled,
    TaskFailed,
)
from engine.jobs import allowance
from engine.jobs.evidence import log_tail
from engine.jobs.protocol import Event, Limits
from engine.settings import settings
from tests.engine.jobs.conftest import alive

Probe = Callable[..., dict[str, Any]]


def test_a_result_comes_back_with_its_folder_and_its_events(probe: Probe, tmp_path: Path) -> None:
    events: list[Event] = []
    result = probe("answer", on_event=events.append)
    assert result["answer"] == 42
    assert Path(result["_folder"]) == tmp_path / "task"
    assert (tmp_path / "task" / "out" / "made.txt").read_text() == "made"
    assert [(event.message, event.fraction) for event in events] == [
        ("began", 0.25),
        ("finished", 1.0),
    ]


def test_a_worker_inherits_nothing_but_what_its_task_names(
    probe: Probe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    result = probe("answer", environment={"OMP_NUM_THREADS": "1"})
    assert "SECRET_TOKEN" not in result["environment"]
    assert result["environment"]["OMP_NUM_THREADS"] == "1"
    assert result["environment"]["HF_HUB_OFFLINE"] == "1"
    assert result["environment"]["ORT_DISABLE_TELEMETRY"] == "1"
    assert result["cwd"] == str(tmp_path / "task")
    assert result["environment"]["HOME"] == str(tmp_path / "task" / "tmp")


def test_what_a_worker_writes_is_nobody_elses(probe: Probe, tmp_path: Path) -> None:
    probe("answer")
    mode = stat.S_IMODE((tmp_path / "task" / "result.json").stat().st_mode)
    assert mode & 0o077 == 0


def test_an_engine_error_keeps_its_kind_and_words(probe: Probe) -> None:
    with pytest.raises(InvalidModel) as caught:
        probe("refuse")
    assert (caught.value.message, caught.value.hint) == ("Not a model.", "Bring another.")


@pytest.mark.parametrize(
    ("do", "how", "words"),
    [
        ("segfault", Reason.CRASHED, "SIGSEGV"),
        ("abort", Reason.CRASHED, "SIGABRT"),
        ("killed", Reason.CRASHED, "SIGKILL"),
        ("leave", Reason.INTERNAL, "without a result. last words"),
        ("bug", Reason.INTERNAL, "KeyError"),
        ("nan", Reason.INTERNAL, "ValueError"),
        ("links", Reason.INTERNAL, "cannot be used"),
    ],
)
def test_bad_ends_have_names(probe: Probe, do: str, how: Reason, words: str) -> None:
    with pytest.raises(TaskFailed) as caught:
        probe(do)
    assert caught.value.reason is how
    assert words in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("status", [3, 160, 255])
def test_a_status_without_a_result_is_a_crash(probe: Probe, status: int) -> None:
    """160 and 255 are of no signal that has a name, whatever a shell would read in them."""
    with pytest.raises(TaskFailed, match=f"status {status}") as caught:
        probe("leave", status=status)
    assert caught.value.reason is Reason.CRASHED


@pytest.mark.parametrize("do", ["full", "other_words", "no_room"])
def test_a_full_disk_has_its_own_error(probe: Probe, tmp_path: Path, do: str) -> None:
    with pytest.raises(StorageFull):
        probe(do)
    assert not list((tmp_path / "task").glob("*.part"))


def test_a_worker_may_not_take_more_memory_than_its_limit(probe: Probe) -> None:
    with pytest.raises(TaskFailed) as caught:
        probe("greedy", limits=Limits(wall_s=60, stall_s=60, memory_bytes=1024**3))
    assert caught.value.reason is Reason.OUT_OF_MEMORY


@pytest.mark.parametrize(
    ("do", "how", "words"),
    [
        ("hoard", Reason.OUT_OF_MEMORY, r"had taken 0\.\d GiB of memory, and may take 0\.5 GiB"),
        ("forsake", Reason.OUT_OF_MEMORY, r"had taken 0\.\d GiB of memory, and may take 0\.5 GiB"),
        ("share", Reason.OUT_OF_MEMORY, r"had taken 0\.\d GiB of memory, and may take 0\.5 GiB"),
        ("multiply", Reason.UNSAFE_MODEL, "more than 512 processes"),
    ],
)
def test_a_tree_of_processes_is_held_to_what_a_task_may_take(
    probe: Probe, tmp_path: Path, do: str, how: Reason, words: str
) -> None:
    most = 64 * 1024**3 if do == "multiply" else 1024**3 // 2
    with pytest.raises(EngineError, match=words) as caught:
        probe(do, limits=Limits(wall_s=60, stall_s=60, memory_bytes=most))
    assert caught.value.reason is how
    assert not alive(tmp_path)


def test_what_a_task_may_take_comes_from_the_machine_or_its_operator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = allowance.memory()
    assert 1024**3 <= here < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    monkeypatch.setenv("ASSAY_TASK_MEMORY_GIB", "1.5")
    settings.cache_clear()
    assert allowance.memory() == 1.5 * 1024**3
    settings.cache_clear()


def test_a_worker_that_stands_still_is_stopped(probe: Probe) -> None:
    with pytest.raises(TaskFailed) as caught:
        probe("sleep", seconds=600, limits=Limits(wall_s=60, stall_s=1))
    assert caught.value.reason is Reason.STALLED


@pytest.mark.parametrize("what", ["spin", "let_spin"])
def test_a_worker_that_spins_lives_until_its_deadline(probe: Probe, what: str) -> None:
    """Also one whose child does the work."""
    with pytest.raises(TaskFailed) as caught:
        probe(what, limits=Limits(wall_s=2, stall_s=1.5))
    assert caught.value.reason is Reason.TIMEOUT


def test_a_worker_that_ignores_the_asking_is_killed(probe: Probe, tmp_path: Path) -> None:
    with pytest.raises(TaskFailed) as caught:
        probe("stubborn", name="s", limits=Limits(60, 1.5))
    assert caught.value.reason is Reason.STALLED
    assert not alive(tmp_path)


def test_cancelling_ends_the_worker(probe: Probe, tmp_path: Path) -> None:
    marks = tmp_path / "task" / "marks"
    with pytest.raises(TaskCancelled):
        probe("sleep", seconds=600, marks=str(marks), name="c", cancelled=marks.exists)
    assert not alive(tmp_path)


@pytest.mark.parametrize("how", ["child", "runaway"])
def test_children_do_not_outlive_their_worker(probe: Probe, tmp_path: Path, how: str) -> None:
    """Also one that tried to leave the worker's session."""
    assert probe(how)["began"]
    for _ in range(100):
        if not alive(tmp_path):
            return
        time.sleep(0.05)
    pytest.fail("the worker's child is still there")


@pytest.mark.parametrize(("mib", "pause_s"), [(24, 0.05), (10_240, 0)], ids=["steady", "10 GiB"])
def test_a_flood_of_output_is_cut(probe: Probe, tmp_path: Path, mib: int, pause_s: float) -> None:
    probe("flood", mib=mib, pause_s=pause_s)
    assert (tmp_path / "task" / "worker.log").stat().st_size < 20 * 1024**2
    assert len(log_tail(tmp_path / "task")) <= 4096


def test_the_request_is_kept_beside_the_result(probe: Probe, tmp_path: Path) -> None:
    probe("answer", name="kept")
    request = json.loads((tmp_path / "task" / "request.json").read_text())
    assert request["task"] == "probe"
    assert request["request"]["name"] == "kept"


@pytest.mark.parametrize("when", ["before it began", "meanwhile"])
def test_a_step_whose_artifact_is_deleted_says_so(probe: Probe, tmp_path: Path, when: str) -> None:
    """Not that the sandbox, or a framework, found something wrong with it."""
    file = tmp_path / "artifact" / "model.onnx"
    if when == "meanwhile":
        file.parent.mkdir()
        file.write_bytes(b"a model")
    with pytest.raises(NotFound, match="artifact this step reads was deleted"):
        probe(
            "read_late",
            artifact={"path": str(file)},
            on_event=lambda event: shutil.rmtree(file.parent, ignore_errors=True),
        )
    assert (tmp_path / "task").exists() is (when == "meanwhile")


def test_an_unknown_task_is_refused_by_name(
    probe: Probe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.errors import BadRequest
    from engine.jobs.protocol import Task
    from engine.jobs.run import run_task

    with pytest.raises(BadRequest, match="no task"):
        run_task(Task("../os", "x", {}), tmp_path / "t", lambda: False, lambda event: None)
    assert os.path.exists(tmp_path / "t" / "worker.log")
