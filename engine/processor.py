"""What this machine's processor is and can do in few bits. Asked of the kernel; imports nothing."""

from __future__ import annotations

import math
import os
import platform
import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path

_INT8 = (
    ("amx_int8", "AMX"),
    ("avx512_vnni", "AVX-512 VNNI"),
    ("avx_vnni", "AVX VNNI"),
    ("i8mm", "ARM I8MM"),
    ("asimddp", "ARM dot product"),
)
_FP16 = (("amx_fp16", "AMX-FP16"), ("avx512_fp16", "AVX-512 FP16"), ("asimdhp", "ARM FP16"))
_BF16 = (("amx_bf16", "AMX-BF16"), ("avx512_bf16", "AVX-512 BF16"), ("bf16", "ARM BF16"))

_GROUPS, _OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
_FREQUENCY = "/sys/devices/system/cpu/cpu{}/cpufreq/scaling_cur_freq"
_LAST_CPU = 36
"""Of the fields of ``/proc/self/stat`` behind the name: the CPU this process ran on last."""

_CACHES = 6
"""More levels than any processor tells."""

_ROOM_FOR_US = 4
"""From so many cores on, one is left to the web and the host."""


def name() -> str:
    """Its name, as the kernel gives it."""
    return _first("model name") or _first("Model") or platform.processor() or "unknown processor"


def features() -> frozenset[str]:
    """What it can do beyond the basics, in the kernel's words: ``avx2``, ``avx512_vnni`` …"""
    return frozenset((_first("flags") or _first("Features")).lower().split())


def cores() -> int:
    """CPUs this process may keep busy: those it may run on, within the control group's quota."""
    return _within_quota(len(os.sched_getaffinity(0)))


def worker_threads() -> int:
    """Threads that a model is measured with: all cores, less one for us where there are four.

    Two threads of one core share what computes, so that cores count here and not logical CPUs.
    """
    usable = _within_quota(_physical_cores(os.sched_getaffinity(0)))
    return usable - 1 if usable >= _ROOM_FOR_US else usable


def cache_bytes() -> int | None:
    """The largest cache that the first CPU shares or has; None where the kernel does not say."""
    found = [
        int(size.removesuffix("K")) * 1024
        for index in range(_CACHES)
        if (size := first_line(f"/sys/devices/system/cpu/cpu0/cache/index{index}/size"))
        and re.fullmatch("[0-9]+K", size)
    ]
    return max(found, default=None)


def _within_quota(count: int) -> int:
    quota = cpu_quota()
    return count if quota is None else max(1, min(count, math.ceil(quota)))


def _physical_cores(cpus: Iterable[int]) -> int:
    """The cores that these logical CPUs belong to, as far as the kernel tells."""
    return len({_core(cpu) for cpu in cpus})


def _core(cpu: int) -> str:
    """What the logical CPUs of one core have in common."""
    return first_line(_SIBLINGS.format(cpu)) or str(cpu)


def cpu_quota() -> float | None:
    """How many CPUs the control group may use; None without a limit.

    The least of this process's group and of all above it: a limit holds for what is below.
    """
    found = [limit for folder in _groups() if (limit := _limit_of(folder)) is not None]
    return min(found, default=None)


def _limit_of(folder: Path) -> float | None:
    if (text := first_line(str(folder / "cpu.max"))) is not None:
        limit, period = text.split()
        return None if limit == "max" else int(limit) / int(period)
    quota = first_line(str(folder / "cpu.cfs_quota_us"))
    every = first_line(str(folder / "cpu.cfs_period_us"))
    if quota is None or every is None or int(quota) < 0:
        return None
    return int(quota) / int(every)


def _groups() -> list[Path]:
    """The folders in which the CPU time of this process may be limited, its own group's first.

    Version 2, then 1; as the machine names them, and at last as a container sees them.
    """
    found: list[Path] = []
    for line in _lines(_OWN_GROUPS):
        _, kinds, path = line.split(":", 2)
        if kinds == "" or "cpu" in kinds.split(","):
            root = _GROUPS if kinds == "" else _GROUPS / "cpu"
            own = root / path.lstrip("/")
            found += [own, *(above for above in own.parents if above.is_relative_to(root))]
    return [*found, _GROUPS, _GROUPS / "cpu"]


def pin(count: int) -> None:
    """Keep this process, and what it starts, on the last ``count`` of the CPUs it may run on.

    The last ones, since the kernel and the web like the first; one of each core before a second of
    any, which would share its arithmetic. On fewer CPUs nothing changes.
    """
    usable = sorted(os.sched_getaffinity(0), reverse=True)
    seen: Counter[str] = Counter()
    turns = {}
    for cpu in usable:
        core = _core(cpu)
        turns[cpu] = seen[core]
        seen[core] += 1
    os.sched_setaffinity(0, sorted(usable, key=lambda cpu: turns[cpu])[:count])


def frequency_mhz() -> float | None:
    """The clock of the CPU this process is on, now; None where the kernel does not say."""
    fields = (first_line("/proc/self/stat") or "").rpartition(")")[2].split()
    found = first_line(_FREQUENCY.format(fields[_LAST_CPU])) if len(fields) > _LAST_CPU else None
    return int(found) / 1e3 if found and found.isdigit() else None


def throttled() -> int | None:
    """How often the control group was stopped for its quota so far; None where nobody counts."""
    found = [
        int(line.split()[1])
        for folder in dict.fromkeys(_groups())
        for line in _lines(folder / "cpu.stat")
        if line.startswith("nr_throttled ")
    ]
    return sum(found) if found else None


def _lines(file: Path) -> list[str]:
    """The lines of a file; none where this kernel or container does not show it."""
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def first_line(path: str) -> str | None:
    """The first line of a file; None where this kernel or container does not show it."""
    try:
        with Path(path).open(encoding="utf-8") as file:
            return file.readline().strip()
    except OSError:
        return None


def is_arm() -> bool:
    """Whether it is a 64-bit ARM."""
    return platform.machine().lower() in ("aarch64", "arm64")


def int8_products() -> str:
    """What multiplies and adds 8-bit integers in one step without overflow; empty for nothing."""
    return _best(_INT8)


def fp16_arithmetic() -> str:
    """What computes in FP16; empty where it is only stored in it."""
    return _best(_FP16)


def bf16_arithmetic() -> str:
    """What multiplies in BF16; empty where it is only stored in it."""
    return _best(_BF16)


def _best(known: tuple[tuple[str, str], ...]) -> str:
    here = features()
    return next((words for flag, words in known if flag in here), "")


@cache
def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""


def _first(field: str) -> str:
    for line in _cpuinfo().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == field:
            return value.strip()
    return ""
