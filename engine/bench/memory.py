"""Memory of this process as the kernel counts it. Bytes throughout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


@dataclass(frozen=True, slots=True)
class Resident:
    """Peak since the last reset (VmHWM), and what is resident now: anonymous, and file-backed.

    File-backed pages are mapped weights and libraries: the kernel can take them back and
    processes share them.
    """

    peak_bytes: int
    anon_bytes: int
    file_bytes: int


def resident() -> Resident:
    """What the kernel says now. Never ``ru_maxrss``: a child inherits its parent's there."""
    fields: dict[str, int] = {}
    for line in _STATUS.read_text().splitlines():
        name, _, value = line.partition(":")
        if value.endswith(" kB"):
            fields[name] = int(value.split()[0]) * 1024
    return Resident(fields["VmHWM"], fields["RssAnon"], fields["RssFile"])


def reset_peak() -> None:
    """Let VmHWM start again from what is resident now."""
    _CLEAR_REFS.write_text(_RESET_PEAK)
