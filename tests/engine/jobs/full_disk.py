"""Jobs on a disk that fills up: ``python -m tests.engine.jobs.full_disk OTHER_DISK``.

``ASSAY_DATA`` lies on a small disk of its own. A real host runs jobs there from beginning to end.
"""

from __future__ import annotations

import sys
from pathlib import Path

from engine.errors import Reason
from engine.jobs import client
from engine.jobs.protocol import JobState, JobView
from engine.settings import settings
from tests.engine.jobs.hosting import ended, hosts, lines, sleeper, submit, until


def main(other_disk: Path) -> None:
    """Filled by a worker, then by somebody else; each time the next job runs."""
    with hosts(other_disk) as start:
        host = start()
        for case in (_filled_by_a_worker, _filled_by_somebody_else):
            case(other_disk)
            sys.stdout.write(f"{case.__name__}\n")
        assert host.poll() is None, "it was the same host all the time"


def _filled_by_a_worker(other_disk: Path) -> None:
    filling = submit({"do": "fill", "name": "fill"}, {"do": "answer", "name": "never"})
    after = submit({"do": "answer", "name": "after"})
    view = ended(filling)
    _says_full(view)
    assert [step.state for step in view.steps] == [JobState.FAILED, JobState.CANCELLED]
    assert ended(after).state is JobState.DONE, client.job(after)
    left = [path for path in settings().jobs_dir.rglob("*") if path.stat().st_size > 100_000]
    assert not left, left


def _filled_by_somebody_else(other_disk: Path) -> None:
    """While a worker works: it cannot leave its result, and its end cannot be written down."""
    marks = other_disk / "marks"
    caught = submit(sleeper("caught", 2, marks))
    after = submit({"do": "answer", "name": "and after"})
    until(lambda: lines(marks))
    filler = settings().data_dir / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    until(lambda: len(lines(marks)) == 2)
    until(lambda: "written down when there is room" in _said(other_disk))
    assert not client.job(caught).state.ended
    filler.unlink()
    _says_full(ended(caught))
    assert ended(after).state is JobState.DONE, client.job(after)


def _said(other_disk: Path) -> str:
    return (other_disk / "host-0.log").read_text()


def _says_full(view: JobView) -> None:
    assert (view.state, view.reason) == (JobState.FAILED, Reason.DISK_FULL), view
    assert "disk is full" in view.message and "Free some space" in view.hint


if __name__ == "__main__":
    main(Path(sys.argv[1]))
