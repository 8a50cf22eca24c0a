"""What the kernel counts: the memory of this machine, and what a tree of processes has taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine import processor

MOST_COUNTED = 512
"""Processes of one tree, beyond which no more are looked at."""

_OWN = ("RssAnon", "RssShmem")
_GROUP = Path("/sys/fs/cgroup")
_IN_GROUP = ("memory.max", "memory.current")
_ENDED = "oom_kill"
_OWN_GROUPS = Path("/proc/self/cgroup")
_VMSTAT = Path("/proc/vmstat")


@dataclass(frozen=True, slots=True)
class Taken:
    """By a process and all below it: CPU time in clock ticks, own memory in bytes, processes.

    Own memory is what is resident and not backed by a file, shared memory too: mapped weights and
    libraries can be taken back by the kernel at any time. What a child shares with its parent since
    their fork counts for both.
    """

    ticks: int
    memory_bytes: int
    processes: int


@dataclass(frozen=True, slots=True)
class Ended:
    """Processes that the kernel has ended for want of memory, since each count began.

    ``ours``: of this process's control group, None where no group counts; ``all``: of the machine.
    """

    ours: int | None
    all: int


def ended_for_memory() -> Ended:
    """How many there are so far: look before and after to tell what happened in between."""
    counts = (_count(file) for file in _counters())
    ours = next((count for count in counts if count is not None), None)
    return Ended(ours, _count(_VMSTAT) or 0)


def _counters() -> list[Path]:
    """Where the group of this process may count: version 2, then 1, each as the machine names it
    and as a container sees it."""
    found = {}
    for line in _OWN_GROUPS.read_text().splitlines():
        _, kinds, path = line.split(":", 2)
        found[kinds] = path.lstrip("/")
    second, first = _GROUP, _GROUP / "memory"
    return [
        *(root / found.get("", "") / "memory.events" for root in (second, second / "unified")),
        second / "memory.events",
        first / found.get("memory", "") / "memory.oom_control",
        first / "memory.oom_control",
    ]


def _count(file: Path) -> int | None:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.split()[0] == _ENDED), None)


def taken(pid: int) -> Taken:
    """What the tree of a process has taken; nothing once it is gone.

    Of a tree that has outgrown ``MOST_COUNTED`` no more is counted.
    """
    ticks = memory_bytes = seen = 0
    for one in tree(pid):
        here = Path(f"/proc/{one}")
        try:
            fields = (here / "stat").read_text().rpartition(")")[2].split()
            held = _held(here / "status")
        except OSError:
            continue
        seen += 1
        ticks += sum(map(int, fields[11:15]))
        memory_bytes += held
    return Taken(ticks, memory_bytes, seen)


def tree(pid: int) -> Iterator[int]:
    """A process and all below it, the first ``MOST_COUNTED`` or so. Some may be gone by now."""
    waiting, seen = [pid], 0
    while waiting and seen <= MOST_COUNTED:
        one = waiting.pop()
        try:
            lists = [file.read_text() for file in Path(f"/proc/{one}").glob("task/*/children")]
        except OSError:
            continue
        seen += 1
        yield one
        waiting += [int(child) for listed in lists for child in listed.split()]


def amounts(file: Path) -> dict[str, int]:
    """Bytes by name, from a file of the kernel with lines such as ``VmHWM:  1024 kB``."""
    found = (line.split(":", 1) for line in file.read_text().splitlines() if line.endswith(" kB"))
    return {name: int(value.split()[0]) * 1024 for name, value in found}


def _held(status: Path) -> int:
    """Anonymous and shared memory of one process; nothing of one that is only a name any more."""
    found = amounts(status)
    return sum(found.get(name, 0) for name in _OWN)


def available() -> int:
    """Bytes that can be had without swapping, within the control group's limit."""
    here = _meminfo("MemAvailable")
    limit, used = (processor.first_line(str(_GROUP / name)) for name in _IN_GROUP)
    if limit and used and limit.isdigit():
        return min(here, int(limit) - int(used) + _reclaimable())
    return here


def total() -> int:
    """Bytes of memory this machine has, or the control group may use where that is less."""
    limit = processor.first_line(str(_GROUP / _IN_GROUP[0]))
    here = _meminfo("MemTotal")
    return min(here, int(limit)) if limit and limit.isdigit() else here


def _reclaimable() -> int:
    """Pages of files the control group holds, which the kernel gives back when asked."""
    try:
        text = (_GROUP / "memory.stat").read_text()
    except OSError:
        return 0
    found = dict(line.split() for line in text.splitlines())
    return int(found.get("inactive_file", 0))


def _meminfo(name: str) -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/meminfo has no {name}")
