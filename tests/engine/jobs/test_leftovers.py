"""Whatever a worker leaves in its folder, nothing stays there but the evidence."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest

from engine import files
from engine.errors import InvalidModel, TaskFailed
from engine.jobs import steps
from engine.jobs.isolation import grants, launching
from engine.jobs.protocol import EVIDENCE, Task
from engine.settings import settings
from engine.store import orphans
from tests.engine.jobs.conftest import PATIENT, PROBE_WORKER, TESTS


@pytest.fixture
def probing(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "WORKER", PROBE_WORKER)
    monkeypatch.setattr(grants, "CODE", (*grants.CODE, TESTS))


def test_junk_goes_with_the_step_that_failed(probing: None) -> None:
    job = steps.DirectSteps("job", lambda views, partial: None)
    with pytest.raises(InvalidModel):
        job.run(Task("probe", "Probe", {"do": "litter"}, PATIENT))
    (folder,) = (settings().jobs_dir / "job").glob("*/attempt-1")
    assert {left.name for left in folder.iterdir()} <= set(EVIDENCE)
    assert sum(left.stat().st_size for left in folder.iterdir()) < 2 * 1024**2


def test_a_folder_whose_maker_locked_us_out_is_removed() -> None:
    """As nobody where the tests run as root, whom no mode locks out."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        with tempfile.TemporaryDirectory() as home:
            deep, kept = Path(home, "closed", "deep"), Path(home, "kept")
            deep.mkdir(parents=True)
            (deep / "file").write_text("x")
            kept.write_text("kept")
            (deep / "link").symlink_to(kept)
            deep.chmod(0)
            deep.parent.chmod(0)
            files.remove(deep.parent)
            assert [left.name for left in Path(home).iterdir()] == ["kept"]
            assert kept.read_text() == "kept"
    finally:
        os.seteuid(before)


def test_however_deep_it_is_it_goes(tmp_path: Path) -> None:
    """Deeper than a path can say, and than Python can call."""
    home = tmp_path / "deep"
    home.mkdir()
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(home)
        for _ in range(3000):
            os.mkdir("d")
            os.chdir("d")
        Path("file").write_text("x")
    finally:
        os.fchdir(before)
        os.close(before)
    files.remove(home)
    assert not home.exists()


def test_a_folder_that_its_worker_closed_is_cleared(probing: None) -> None:
    job = steps.DirectSteps("job", lambda views, partial: None)
    with pytest.raises(TaskFailed, match="without a result"):
        job.run(Task("probe", "Probe", {"do": "litter", "close": True}, PATIENT))
    (folder,) = (settings().jobs_dir / "job").glob("*/attempt-1")
    assert {left.name for left in folder.iterdir()} <= set(EVIDENCE)


def test_folders_of_jobs_that_are_over_are_found(workspace: Path) -> None:
    home = settings().jobs_dir
    for name in ("shell-old-convert", "shell-new-convert"):
        (home / name).mkdir(parents=True)
    long_ago = time.time() - 2 * orphans.DAY_S
    os.utime(home / "shell-old-convert", (long_ago, long_ago))
    assert orphans.left_by_jobs() == ("shell-old-convert",)
