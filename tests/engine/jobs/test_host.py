"""Jobs through real hosts, which are killed, doubled and restarted."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine import store
from engine.errors import Reason
from engine.jobs import client, waiting
from engine.jobs.protocol import JobState
from engine.settings import settings
from tests.engine.jobs.hosting import Start, ended, lines, sleeper, submit, until


def test_a_job_that_waits_for_another_host_holds_up_nobody(start: Start, tmp_path: Path) -> None:
    wanted = {"tasks": [], "targets": [{"format": "tensorrt", "options": {}}], "wait": True}
    if waiting.lacks(wanted) is None:
        pytest.skip("this machine has an NVIDIA GPU: nothing waits here")
    store.jobs.add("waits", "probe", "A test", wanted)
    start()
    assert ended(submit(sleeper("one", 0, tmp_path / "marks"))).state is JobState.DONE
    here = {**wanted, "targets": [{"format": "onnx", "options": {}}]}
    store.jobs.add("runs", "probe", "A test", here)
    assert until(lambda: store.jobs.load("runs").handed_over), "a host that has it takes it up"
    left = store.jobs.load("waits")
    assert left.state is JobState.QUEUED and not left.handed_over
    client.cancel("waits")
    assert client.job("waits").state is JobState.CANCELLED


def test_a_job_goes_through_its_steps(start: Start, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    job_id = submit(sleeper("one", 0, marks), sleeper("two", 0, marks))
    before = client.job(job_id)
    assert before.state is JobState.QUEUED
    assert "not running" in before.message
    start()
    view = ended(job_id)
    assert view.state is JobState.DONE, view.message
    assert view.result == {"done": ["one", "two"]}
    assert [(s.label, s.state, s.fraction) for s in view.steps] == [
        ("one", JobState.DONE, 1.0),
        ("two", JobState.DONE, 1.0),
    ]
    assert view.started_at and view.ended_at and view.message == ""


def test_a_job_outlives_its_host_and_repeats_no_step(start: Start, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    first = start()
    job_id = submit(sleeper("one", 0, marks), sleeper("two", 3, marks), sleeper("three", 0, marks))
    until(lambda: [line for line in lines(marks) if line[:2] == ["two", "begin"]])
    worker = int(lines(marks)[-1][3])
    first.send_signal(signal.SIGKILL)
    first.wait()
    until(lambda: not Path(f"/proc/{worker}").exists())
    start()
    assert ended(job_id).state is JobState.DONE
    begun = [line[0] for line in lines(marks) if line[1] == "begin"]
    assert begun == ["one", "two", "two", "three"]
    assert [line[0] for line in lines(marks) if line[1] == "end"] == ["one", "two", "three"]


def test_a_step_that_takes_its_host_down_twice_is_given_up(start: Start, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    job_id = submit(sleeper("one", 600, marks))
    for times in (1, 2):
        host = start()
        until(lambda times=times: len(lines(marks)) == times)
        host.send_signal(signal.SIGKILL)
        host.wait()
    start()
    view = ended(job_id)
    assert (view.state, view.reason) == (JobState.FAILED, Reason.WORKER_LOST)


def test_a_measurement_is_never_silently_repeated(start: Start, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    first = start()
    job_id = submit(sleeper("one", 600, marks), kind="measure")
    until(lambda: lines(marks))
    first.send_signal(signal.SIGKILL)
    first.wait()
    start()
    view = ended(job_id)
    assert (view.state, view.reason) == (JobState.FAILED, Reason.WORKER_LOST)
    assert "new measurement" in view.hint
    assert len(lines(marks)) == 1


def test_a_host_asked_to_stop_leaves_its_job_to_the_next(start: Start, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    first = start()
    job_id = submit(sleeper("one", 3, marks))
    until(lambda: lines(marks))
    first.terminate()
    assert first.wait(30) == 0
    assert client.job(job_id).state is JobState.RUNNING
    assert not Path(f"/proc/{lines(marks)[0][3]}").exists()
    start()
    assert ended(job_id).state is JobState.DONE


def test_a_dead_worker_fails_its_job_and_not_the_next(start: Start, tmp_path: Path) -> None:
    start()
    bad, good = submit({"do": "segfault", "name": "x"}), submit({"do": "answer", "name": "y"})
    view = ended(bad)
    assert (view.state, view.reason) == (JobState.FAILED, Reason.CRASHED)
    assert "SIGSEGV" in view.message
    assert view.steps[0].state is JobState.FAILED
    assert ended(good).state is JobState.DONE


def test_a_second_host_gives_way(start: Start) -> None:
    first = start()
    until(client.host_alive)
    assert start().wait(60) == 1
    assert first.poll() is None


def test_the_same_request_at_once_is_one_job(workspace: Path) -> None:
    with ThreadPoolExecutor(10) as pool:
        ids = list(pool.map(lambda _: submit({"do": "answer", "name": "x"}), range(10)))
    assert len(set(ids)) == 1
    assert len(store.jobs.recent()) == 1


def test_what_failed_may_be_tried_again_and_what_is_done_stands(start: Start) -> None:
    start()
    failed = submit({"do": "refuse", "name": "x"})
    assert ended(failed).reason is Reason.INVALID_MODEL
    assert submit({"do": "refuse", "name": "x"}) == f"{failed}-2"
    done = submit({"do": "answer", "name": "x"})
    ended(done)
    assert submit({"do": "answer", "name": "x"}) == done


def test_a_queued_job_is_cancelled_at_once(workspace: Path) -> None:
    job_id = submit({"do": "answer", "name": "x"})
    client.cancel(job_id)
    assert client.job(job_id).state is JobState.CANCELLED


def test_a_running_job_is_cancelled_with_its_worker(start: Start, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    start()
    job_id = submit(sleeper("one", 600, marks), sleeper("two", 0, marks))
    until(lambda: lines(marks))
    client.cancel(job_id)
    view = ended(job_id)
    assert (view.state, view.reason) == (JobState.CANCELLED, Reason.CANCELLED)
    assert [step.state for step in view.steps] == [JobState.CANCELLED, JobState.CANCELLED]
    until(lambda: not Path(f"/proc/{lines(marks)[0][3]}").exists())
    client.cancel(job_id)
    assert client.job(job_id).state is JobState.CANCELLED


def test_nothing_runs_beside_a_measurement(start: Start, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    start()
    ids = [
        submit(sleeper("m1", 1, marks), kind="measure"),
        submit(sleeper("m2", 1, marks), kind="measure"),
        submit(sleeper("c1", 1, marks)),
    ]
    for job_id in ids:
        assert ended(job_id).state is JobState.DONE
    order = [(line[0], line[1]) for line in lines(marks)]
    assert [what for _, what in order] == ["begin", "end"] * 3
    assert [begun[0] for begun in order[::2]] == [over[0] for over in order[1::2]]


def test_what_a_dead_process_was_publishing_is_swept(start: Start, workspace: Path) -> None:
    dead = subprocess.run(["true"], check=True) and subprocess.Popen(["true"])
    dead.wait()
    left = workspace / "models" / f"abc.part-{dead.pid}-1"
    busy = workspace / "models" / f"def.part-{os.getpid()}-1"
    left.mkdir(parents=True)
    busy.mkdir()
    start()
    until(lambda: not left.exists())
    assert busy.exists()


def test_a_host_closes_its_data_folder_to_others(start: Start, tmp_path: Path) -> None:
    start()
    assert ended(submit(sleeper("one", 0, tmp_path / "marks"))).state is JobState.DONE
    assert stat.S_IMODE(settings().data_dir.stat().st_mode) == 0o700
