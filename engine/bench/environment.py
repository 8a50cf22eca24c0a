"""Facts about this machine, and the kernel's own counts of what disturbed us."""

from __future__ import annotations

import math
import os
import platform
from dataclasses import dataclass
from importlib import metadata
from time import perf_counter

from engine import processor
from engine.bench.model import Environment
from engine.nvidia import driver_version, has_nvidia_gpu
from engine.processor import first_line
from engine.types import Scalar

_GIB = 1024**3
_STEAL_FIELD = 8


def environment(sandbox: str) -> Environment:
    """Everything about this machine that a reader of the report needs to know.

    ``sandbox``: how the workers that measured were held, in a few words.
    """
    quota = processor.cpu_quota()
    facts: dict[str, Scalar] = {
        "Processor": processor.name(),
        "Architecture": platform.machine(),
        "Logical CPUs": os.cpu_count(),
        "CPUs this process may use": len(os.sched_getaffinity(0)),
        "CPU quota": f"{quota:g} CPUs" if quota is not None else "none",
        "Frequency governor": first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
        or "not visible",
        "Memory": f"{_memory_bytes() / _GIB:.1f} GiB",
        "Kernel": f"{platform.system()} {platform.release()}",
        "Virtual machine": _hypervisor(),
        "Python": platform.python_version(),
        "Sandbox": sandbox,
    }
    if has_nvidia_gpu():
        facts["NVIDIA driver"] = driver_version()
    return Environment(facts=facts, packages=_packages())


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Shares of a span of wall time: stolen by the hypervisor, and stalled for a CPU."""

    steal_share: float | None
    psi_share: float | None


class Watch:
    """Reads the kernel's counters when made, and gives the shares since then."""

    def __init__(self) -> None:
        self._at = perf_counter()
        self._steal = _steal_s()
        self._stalled = _stalled_s()

    def since(self) -> Disturbance:
        """What happened since this watch was made, None where the kernel does not say."""
        wall = max(perf_counter() - self._at, 1e-9)
        steal, stalled = _steal_s(), _stalled_s()
        cpus = os.cpu_count() or 1
        return Disturbance(
            _share(self._steal, steal, wall * cpus), _share(self._stalled, stalled, wall)
        )


def load1() -> float | None:
    """The one-minute load average."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def _share(before: float | None, after: float | None, whole: float) -> float | None:
    if before is None or after is None:
        return None
    return min(1.0, max(0.0, (after - before) / whole))


def _steal_s() -> float | None:
    """Seconds stolen from all CPUs since boot."""
    fields = (first_line("/proc/stat") or "").split()
    if len(fields) <= _STEAL_FIELD:
        return None
    return int(fields[_STEAL_FIELD]) / float(os.sysconf("SC_CLK_TCK"))


def _stalled_s() -> float | None:
    """Seconds in which some runnable task waited for a CPU, since boot."""
    for part in (first_line("/proc/pressure/cpu") or "").split():
        if part.startswith("total="):
            return int(part.removeprefix("total=")) / 1e6
    return None


def _hypervisor() -> str:
    """Whose virtual machine this is, as far as the processor tells."""
    if "hypervisor" not in processor.features():
        return "none seen"
    return first_line("/sys/class/dmi/id/sys_vendor") or "yes"


def _memory_bytes() -> int:
    """Physical memory, or the control group's limit where that is less."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = first_line("/sys/fs/cgroup/memory.max")
    return int(min(physical, int(limit) if limit and limit.isdigit() else math.inf))


def _packages() -> dict[str, str]:
    """Every installed distribution with its version, by name."""
    found = {
        str(item.metadata["Name"]).lower(): item.version
        for item in metadata.distributions()
        if item.metadata["Name"]
    }
    return dict(sorted(found.items()))
