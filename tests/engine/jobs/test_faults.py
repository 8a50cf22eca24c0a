"""Faults brought about under real hosts: what is said, what is kept, and that the next job runs."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from engine import store
from engine.errors import Reason
from engine.files import hash_path
from engine.jobs import client, locks, strays
from engine.jobs.protocol import JobState
from engine.pipeline import ImportRequest
from engine.settings import settings
from tests.disks import on_a_small_disk
from tests.engine.jobs.conftest import alive
from tests.engine.jobs.hosting import Start, ended, lines, sleeper, submit, until
from tests.engine.store.conftest import a_report, an_artifact


def killed(host: subprocess.Popen[bytes], worker: int) -> None:
    """``kill -9`` of the host; its worker goes with it."""
    host.send_signal(signal.SIGKILL)
    host.wait()
    until(lambda: not Path(f"/proc/{worker}").exists())


def test_a_disk_that_fills_up_fails_one_job_and_not_the_next(
    workspace: Path, tmp_path: Path
) -> None:
    done = on_a_small_disk(workspace, f'exec "$1" -m tests.engine.jobs.full_disk "{tmp_path}"')
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["_filled_by_a_worker", "_filled_by_somebody_else"]


def test_a_job_outlives_a_database_in_other_hands(
    start: Start, workspace: Path, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    start(PROBE_BUSY_MS="200")
    job_id = submit(sleeper("one", 2, marks), sleeper("two", 0, marks))
    until(lambda: lines(marks))
    with closing(sqlite3.connect(workspace / "assay.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        until(lambda: len(lines(marks)) == 4)
        until(lambda: "Tried again" in (workspace / "host-0.log").read_text())
        other.execute("COMMIT")
    view = ended(job_id)
    assert (view.state, view.result) == (JobState.DONE, {"done": ["one", "two"]})
    assert ended(submit({"do": "answer", "name": "after"})).state is JobState.DONE


@pytest.mark.parametrize("how", ["no database", "pages overwritten", "gone"])
def test_without_its_queue_file_a_host_takes_its_jobs_from_the_library(
    start: Start, workspace: Path, tmp_path: Path, how: str
) -> None:
    marks, file = tmp_path / "marks", workspace / "dbos.db"
    first = start()
    running = submit(sleeper("one", 0, marks), sleeper("two", 3, marks))
    in_line = submit(sleeper("three", 0, marks))
    until(lambda: len(lines(marks)) == 3 and store.jobs.load(in_line).handed_over)
    killed(first, int(lines(marks)[-1][3]))
    _spoil(file, how)
    start()
    assert ended(running).state is JobState.DONE
    assert ended(in_line).state is JobState.DONE
    said = (workspace / "host-1.log").read_text()
    assert "handed over again" in said
    if how != "gone":
        assert "was damaged" in said
        assert list(workspace.glob("damaged-1-dbos.db")), "it is kept to be looked at"


def _spoil(file: Path, how: str) -> None:
    if how == "gone":
        for part in file.parent.glob("dbos.db*"):
            part.unlink()
        return
    spoiled = bytearray(file.read_bytes())
    begin = 0 if how == "no database" else 4096
    spoiled[begin:] = b"\xa5" * len(spoiled[begin:])
    file.write_bytes(spoiled)


def test_a_queue_file_taken_from_under_a_host_ends_it_and_no_job(
    start: Start, workspace: Path, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    first = start()
    job_id = submit(sleeper("one", 0, marks), sleeper("two", 3, marks))
    until(lambda: len(lines(marks)) == 3)
    _spoil(workspace / "dbos.db", "gone")
    until(lambda: first.poll() is not None)
    assert first.returncode == 1
    assert "was taken away" in (workspace / "host-0.log").read_text()
    assert client.job(job_id).state is JobState.RUNNING
    start()
    assert ended(job_id).state is JobState.DONE


def test_a_measurement_that_the_queue_lost_is_not_silently_repeated(
    start: Start, workspace: Path, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    first = start()
    job_id = submit(sleeper("one", 600, marks), kind="measure")
    until(lambda: lines(marks))
    killed(first, int(lines(marks)[0][3]))
    _spoil(workspace / "dbos.db", "gone")
    start()
    assert ended(job_id).reason is Reason.WORKER_LOST
    assert len(lines(marks)) == 1


def test_a_host_of_another_version_takes_up_the_job(start: Start, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    first = start()
    job_id = submit(sleeper("one", 0, marks), sleeper("two", 2, marks))
    until(lambda: len(lines(marks)) == 3)
    killed(first, int(lines(marks)[-1][3]))
    start(PROBE_OTHER_CODE="1")
    assert ended(job_id).state is JobState.DONE
    assert [line[0] for line in lines(marks) if line[1] == "begin"] == ["one", "two", "two"]


def test_what_a_killed_host_left_running_is_ended_at_the_next_start(
    start: Start, workspace: Path
) -> None:
    """A child in a session of its own, which no sandbox held; what lives by right is let be."""
    first = start()
    submit({"do": "stray", "name": "stray"})
    until(lambda: len(alive(workspace / "jobs")) == 2)
    first.send_signal(signal.SIGKILL)
    first.wait()
    until(lambda: len(alive(workspace / "jobs")) == 1)
    home = workspace / "jobs" / "of-a-shell"
    names = (strays.this_process(), "", "no-name")
    bystanders = [
        subprocess.Popen(["sleep", "600"], env={"HOME": str(home), strays.STARTED_BY: name})
        for name in names
    ]
    elsewhere = {"HOME": "/elsewhere", strays.STARTED_BY: "4194305-1"}
    bystanders.append(subprocess.Popen(["sleep", "600"], env=elsewhere))
    try:
        start()
        until(lambda: "Ended 1 processes" in (workspace / "host-1.log").read_text())
        assert [process.poll() for process in bystanders] == [None] * 4
    finally:
        for process in bystanders:
            process.kill()
            process.wait()


def test_a_job_in_line_is_cancelled_and_never_begins(start: Start, tmp_path: Path) -> None:
    """The queue has it already, behind another one."""
    marks = tmp_path / "marks"
    start()
    first, second = submit(sleeper("one", 2, marks)), submit(sleeper("two", 0, marks))
    until(lambda: lines(marks) and store.jobs.load(second).handed_over)
    client.cancel(second)
    third = submit(sleeper("three", 0, marks))
    assert ended(first).state is JobState.DONE
    assert ended(third).state is JobState.DONE
    assert client.job(second).state is JobState.CANCELLED
    assert {line[0] for line in lines(marks)} == {"one", "three"}


def test_a_job_that_begins_is_cancelled_before_its_worker(start: Start, workspace: Path) -> None:
    start()
    with locks.alone(lambda sentence: None):
        job_id = submit({"do": "answer", "name": "x"})
        until(lambda: any("measurement" in step.message for step in client.job(job_id).steps))
        client.cancel(job_id)
        view = ended(job_id)
    assert (view.state, view.reason) == (JobState.CANCELLED, Reason.CANCELLED)
    assert not list((workspace / "jobs").glob("*/*/attempt-*"))
    assert ended(submit({"do": "answer", "name": "after"})).state is JobState.DONE


def test_a_cancel_while_a_model_is_published_leaves_it_whole(start: Start) -> None:
    """The host stands still in the middle of it; what was the last step is then done."""
    host = start(
        ASSAY_FAILPOINT="publish: linked", ASSAY_FAILPOINT_SIGNAL="SIGSTOP", ASSAY_SANDBOX=""
    )
    job_id = client.submit_import(ImportRequest("sample", "digits"))
    until(lambda: Path(f"/proc/{host.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
    assert client.job(job_id).state is JobState.RUNNING
    client.cancel(job_id)
    assert store.models.recent() == ()
    host.send_signal(signal.SIGCONT)
    view = ended(job_id)
    assert view.state is JobState.DONE
    assert "cancel came when everything was done" in view.message
    artifact = store.models.load(view.result["model_id"]).artifact
    assert hash_path(artifact.path) == artifact.sha256
    assert not list(settings().models_store.glob("*.part-*"))
    client.cancel(job_id)
    assert client.job(job_id) == view


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_a_job_does_not_mind_a_clock_that_jumps(start: Start, tmp_path: Path, seconds: int) -> None:
    marks, clock = tmp_path / "marks", tmp_path / "clock"
    start(**jumping(tmp_path, clock))
    jobs = [submit(sleeper("one", 2, marks)), submit(sleeper("two", 0, marks))]
    until(lambda: lines(marks))
    clock.write_text(str(seconds))
    jobs.append(submit(sleeper("three", 0, marks)))
    for view in map(ended, jobs):
        assert view.state is JobState.DONE, view
        assert 0 <= view.steps[0].seconds < 600
    jumped = ended(jobs[0])
    assert jumped.started_at and jumped.ended_at
    assert (jumped.ended_at > jumped.started_at) is (seconds > 0), "the clock did jump"


def jumping(folder: Path, clock: Path) -> dict[str, str]:
    """The environment of a process whose clock stands by as many seconds off as a file says."""
    library = folder / "clock.so"
    source = Path(__file__).with_name("jumping_clock.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    return {"LD_PRELOAD": str(library), "JUMPING_CLOCK": str(clock)}


def test_links_expire_and_things_grow_old_by_the_wall_clock(
    workspace: Path, tmp_path: Path
) -> None:
    store.artifacts.save(an_artifact("a", workspace / "artifacts"), "m")
    shared = store.shares.create(a_report("r", workspace), days=1)
    look = (
        "import sys; from engine import store; from engine.errors import NotFound\n"
        "from engine.store import cleaning\n"
        "try: store.shares.find(sys.argv[1]); opens = True\n"
        "except NotFound: opens = False\n"
        "print(opens, [one.id for one in cleaning.unneeded(1.0)])"
    )
    clock = tmp_path / "clock"
    found = {}
    for hours in (-25, 0, 25):
        clock.write_text(str(hours * 3600))
        found[hours] = subprocess.run(
            [sys.executable, "-c", look, shared.token],
            env={**os.environ, **jumping(tmp_path, clock)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    assert found == {-25: "True []", 0: "True []", 25: "False ['a']"}
