"""How many CPUs may be used: affinity, quota and cores, whichever is least."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.parametrize(
    ("files", "quota", "stopped"),
    [
        ({"cpu.max": "max 100000"}, None, None),
        ({"cpu.max": "200000 100000", "cpu.stat": "usage_usec 9\nnr_throttled 7"}, 2.0, 7),
        ({"a/b/cpu.max": "50000 100000", "a/cpu.max": "max 100000"}, 0.5, None),
        ({"a/b/cpu.max": "max 100000", "a/cpu.max": "150000 100000"}, 1.5, None),
        ({"cpu/a/b/cpu.cfs_quota_us": "50000", "cpu/a/b/cpu.cfs_period_us": "100000"}, 0.5, None),
    ],
)
def test_the_quota_of_this_process_is_its_own_groups_or_one_above(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    quota: float | None,
    stopped: int | None,
) -> None:
    for name, text in files.items():
        file = tmp_path / "groups" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    (tmp_path / "own").write_text("4:memory:/elsewhere\n3:cpu,cpuacct:/a/b\n0::/a/b\n")
    monkeypatch.setattr(processor, "_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(processor, "_OWN_GROUPS", tmp_path / "own")
    assert (processor.cpu_quota(), processor.throttled()) == (quota, stopped)


@pytest.mark.parametrize(
    ("siblings", "count", "expected"),
    [
        ({0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3"}, 2, {1, 3}),
        ({0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"}, 2, {2, 3}),
        ({0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3"}, 3, {1, 2, 3}),
    ],
)
def test_pinned_threads_get_a_core_each_first(
    monkeypatch: pytest.MonkeyPatch, siblings: dict[int, str], count: int, expected: set[int]
) -> None:
    chosen: list[set[int]] = []
    monkeypatch.setattr(processor, "_core", siblings.__getitem__)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(siblings))
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, cpus: chosen.append(set(cpus)))
    processor.pin(count)
    assert chosen == [expected]


def test_a_pinned_process_stays_on_the_last_of_its_cpus() -> None:
    script = (
        "import os; from engine import processor; before = sorted(os.sched_getaffinity(0)); "
        "processor.pin(1); assert sorted(os.sched_getaffinity(0)) == before[-1:]"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
