"""How many CPUs may be used: affinity, quota and cores, whichever is least."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from engine import processor


@pytest.mark.parametrize(
    ("cpus", "quota", "cores", "threads"),
    [
        (1, None, 1, 1),
        (2, None, 2, 2),
        (2, 0.5, 1, 1),
        (8, 1.5, 2, 2),
        (4, None, 4, 3),
        (16, 6.0, 6, 5),
    ],
)
def test_the_least_of_affinity_and_quota_counts(
    monkeypatch: pytest.MonkeyPatch, cpus: int, quota: float | None, cores: int, threads: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cpus)))
    monkeypatch.setattr(processor, "cpu_quota", lambda: quota)
    monkeypatch.setattr(processor, "_physical_cores", len)
    assert processor.cores() == cores
    assert processor.worker_threads() == threads


def test_two_threads_of_one_core_are_one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    siblings = {0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"}
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(siblings))
    monkeypatch.setattr(processor, "cpu_quota", lambda: None)
    monkeypatch.setattr(
        processor, "first_line", lambda path: siblings[int(path.split("/cpu")[2].split("/")[0])]
    )
    assert processor.worker_threads() == 2


def test_a_pinned_process_stays_on_the_last_of_its_cpus() -> None:
    script = (
        "import os; from engine import processor; before = sorted(os.sched_getaffinity(0)); "
        "processor.pin(1); assert sorted(os.sched_getaffinity(0)) == before[-1:]"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
