"""Facts about this machine, and the kernel's own counts of what disturbed us."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib import metadata
from time import perf_counter

from engine import kernel, processor
from engine.bench.model import Environment
from engine.nvidia import card_names, driver_version, has_nvidia_gpu
from engine.processor import first_line
from engine.records import fingerprint
from engine.types import Scalar

_GIB = 1024**3
_TICKS = float(os.sysconf("SC_CLK_TCK"))
_STEAL_FIELD = 8
_BUSY_FIELDS = (1, 2, 3, 6, 7)
"""User, nice, system, interrupts; of the first line of /proc/stat."""


def environment(sandbox: str) -> Environment:
    """Everything about this machine that a reader of the report needs to know.

    ``sandbox``: how the workers that measured were held, in a few words.
    """
    quota = processor.cpu_quota()
    facts: dict[str, Scalar] = {
        "Processor": processor.name(),
        "Architecture": platform.machine(),
        "Logical CPUs": os.cpu_count(),
        "CPUs this process may use": processor.cores(),
        "CPU quota": f"{quota:g} CPUs" if quota is not None else "none",
        "Frequency governor": first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
        or "not visible",
        "Memory": f"{kernel.total() / _GIB:.1f} GiB",
        "Kernel": f"{platform.system()} {platform.release()}",
        "Virtual machine": _hypervisor(),
        "Python": platform.python_version(),
        "Sandbox": sandbox,
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "not set"),
    }
    if has_nvidia_gpu():
        facts["NVIDIA GPU"], facts["NVIDIA driver"] = card_names(), driver_version()
    return Environment(facts=facts, packages=_packages())


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What disturbed a span of wall time, None where the kernel does not say.

    Shares of it that were stolen by the hypervisor, and in which something waited for a CPU; how
    many CPUs other processes kept busy; how often the control group was stopped for its quota.
    """

    steal_share: float | None
    psi_share: float | None
    others_cpus: float | None
    throttled: int | None


class Watch:
    """Reads the kernel's counters when made, and gives what happened since then."""

    def __init__(self) -> None:
        self._at = perf_counter()
        self._steal = _steal_s()
        self._stalled = _stalled_s()
        self._others = _others_s()
        self._throttled = processor.throttled()

    def since(self) -> Disturbance:
        """What happened since this watch was made."""
        wall = max(perf_counter() - self._at, 1e-9)
        cpus = os.cpu_count() or 1
        others, stopped = _others_s(), processor.throttled()
        return Disturbance(
            steal_share=_share(self._steal, _steal_s(), wall * cpus),
            psi_share=_share(self._stalled, _stalled_s(), wall),
            others_cpus=None
            if others is None or self._others is None
            else max(0.0, (others - self._others) / wall),
            throttled=None
            if stopped is None or self._throttled is None
            else stopped - self._throttled,
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


def psi_avg10() -> float | None:
    """The share of the last ten seconds in which something waited for a CPU."""
    for part in (first_line("/proc/pressure/cpu") or "").split():
        if part.startswith("avg10="):
            return float(part.removeprefix("avg10=")) / 100
    return None


def host_id() -> str:
    """This machine, as far as a noise floor is concerned: another processor, another floor."""
    return fingerprint("host", platform.node(), processor.name(), processor.cores())


def _others_s() -> float | None:
    """CPU seconds since boot of everything but this process and what it started."""
    fields = (first_line("/proc/stat") or "").split()
    if len(fields) <= max(_BUSY_FIELDS):
        return None
    busy = sum(int(fields[place]) for place in _BUSY_FIELDS)
    return (busy - kernel.taken(os.getpid()).ticks) / _TICKS


def _steal_s() -> float | None:
    """Seconds stolen from all CPUs since boot."""
    fields = (first_line("/proc/stat") or "").split()
    if len(fields) <= _STEAL_FIELD:
        return None
    return int(fields[_STEAL_FIELD]) / _TICKS


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


def _packages() -> dict[str, str]:
    """Every installed distribution with its version, by name."""
    found = {
        str(item.metadata["Name"]).lower(): item.version
        for item in metadata.distributions()
        if item.metadata["Name"]
    }
    return dict(sorted(found.items()))
