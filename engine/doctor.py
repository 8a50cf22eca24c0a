"""What there is on this machine to work with, found without importing a single framework."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from engine import access, kernel, processor
from engine.jobs import locks
from engine.jobs.isolation import tiers
from engine.registry import Format, formats
from engine.settings import GIB, settings

_CPU_FLAGS = (
    "avx2",
    "fma",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx_vnni",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
    "asimd",
    "sve",
    "i8mm",
)


@dataclass(frozen=True, slots=True)
class BackEnd:
    """A format's tools: whether they work here, and if not, why and the line that helps."""

    name: str
    label: str
    available: bool
    version: str
    reason: str
    install: str


@dataclass(frozen=True, slots=True)
class Doctor:
    """Everything the doctor looked at. ``cores`` may be used; ``facts`` are in reading order."""

    back_ends: tuple[BackEnd, ...]
    facts: dict[str, str]
    cores: int
    host_alive: bool
    disk_low: bool


def doctor() -> Doctor:
    """Look at everything, now. Raises NotAllowed for whoever is no admin."""
    access.need(access.Role.ADMIN)
    home = settings().data_dir
    free = shutil.disk_usage(_nearest(home)).free
    return Doctor(
        back_ends=tuple(map(_back_end, formats().values())),
        facts={
            **_machine(),
            "Data folder": str(home),
            "Disk free": _gib(free),
            "Sandbox": tiers.sandbox(settings().sandbox).words,
        },
        cores=processor.cores(),
        host_alive=locks.held(locks.host_lock()),
        disk_low=free < settings().free_floor_bytes,
    )


def _back_end(form: Format) -> BackEnd:
    """A format Assay converts to or from."""
    lacks = form.lacks
    return BackEnd(
        name=form.name,
        label=form.label,
        available=form.available,
        version=", ".join(
            f"{need.distribution} {need.version}" for need in form.requires if need.version
        ),
        reason=f"{lacks[0].upper()}{lacks[1:]}." if lacks else "",
        install="\n".join(form.install_lines),
    )


def _machine() -> dict[str, str]:
    """The machine as a measurement meets it."""
    flags, quota = processor.features(), processor.cpu_quota()
    return {
        "Processor": processor.name(),
        "Instructions of note": ", ".join(f for f in _CPU_FLAGS if f in flags) or "none",
        "Cores": f"{os.cpu_count()}, of which {processor.cores()} may be used",
        "Core quota": "none" if quota is None else f"{quota:g} cores",
        "Memory": _gib(kernel.total()),
        "Memory free": _gib(kernel.available()),
        "System": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": platform.python_version(),
    }


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"


def _nearest(path: Path) -> Path:
    """The path itself, or the nearest folder above it that exists."""
    return next(place for place in (path, *path.parents) if place.exists())
