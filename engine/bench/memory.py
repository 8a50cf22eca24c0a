"""Memory of this process and all below it, as the kernel counts it. Bytes throughout."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine import kernel
from engine.bench.model import MemoryPhase

_SELF = Path("/proc/self")
_RESET_PEAK = "5"
_PRIVATE = ("Private_Clean", "Private_Dirty", "Private_Hugetlb")


@dataclass(frozen=True, slots=True)
class Resident:
    """Peak since the last reset (VmHWM), and what is resident now: anonymous, and file-backed.

    File-backed pages are mapped weights and libraries: the kernel can take them back and
    processes share them.
    """

    peak_bytes: int
    anon_bytes: int
    file_bytes: int
    shared_bytes: int = 0

    @property
    def now_bytes(self) -> int:
        """All that is resident."""
        return self.anon_bytes + self.file_bytes + self.shared_bytes


def resident(pid: int | str = "self") -> Resident:
    """What the kernel says now. Never ``ru_maxrss``: a child inherits its parent's there."""
    found = kernel.amounts(Path(f"/proc/{pid}/status"))
    return Resident(found["VmHWM"], found["RssAnon"], found["RssFile"], found["RssShmem"])


def each_resident() -> dict[int, Resident]:
    """The same of this process and every one below it, by process id."""
    found: dict[int, Resident] = {}
    for pid in kernel.tree(os.getpid()):
        try:
            found[pid] = resident(pid)
        except (OSError, KeyError):  # gone, or only a name any more
            continue
    return found


def reset_peak() -> None:
    """Let VmHWM of this process start again from what is resident now."""
    (_SELF / "clear_refs").write_text(_RESET_PEAK)


def phase(name: str, files: frozenset[str], calls: int = 0) -> MemoryPhase:
    """What the whole tree holds now that a phase ends. ``files`` are the artifact's (own_files).

    A process below that ended before is not seen, and one that ends meanwhile is left out.
    """
    gc.collect()
    by_pid = each_resident()
    held, shares = by_pid.values(), [_shares(pid) for pid in by_pid]
    known = [share for share in shares if share is not None]
    whole = len(known) == len(held)
    return MemoryPhase(
        name=name,
        peak_bytes=sum(one.peak_bytes for one in held),
        anon_bytes=sum(one.anon_bytes for one in held),
        file_bytes=sum(one.file_bytes for one in held),
        shared_bytes=sum(one.shared_bytes for one in held),
        pss_bytes=sum(pss for pss, _ in known) if whole else None,
        uss_bytes=sum(uss for _, uss in known) if whole else None,
        own_file_bytes=mapped(files),
        processes=len(held),
        calls=calls,
    )


def own_files(path: Path) -> frozenset[str]:
    """The files of an artifact by the names the kernel knows them by."""
    found = path.rglob("*") if path.is_dir() else (path,)
    return frozenset(str(file.resolve()) for file in found if file.is_file())


def mapped(files: frozenset[str]) -> int:
    """Resident bytes of these files that are mapped into this process and unchanged."""
    return sum(_mapped(files)) if files else 0


def trim() -> None:
    """Let the C library give back what was freed. Nothing where it has no such function."""
    gc.collect()
    if give_back := getattr(ctypes.CDLL(None), "malloc_trim", None):
        give_back(0)


def _shares(pid: int) -> tuple[int, int] | None:
    """PSS and USS. Takes milliseconds for each GiB, in which the process cannot map memory."""
    try:
        found = kernel.amounts(Path(f"/proc/{pid}/smaps_rollup"))
    except OSError:
        return None
    return found.get("Pss", 0), sum(found.get(name, 0) for name in _PRIVATE)


def _mapped(files: frozenset[str]) -> Iterator[int]:
    """Line by line: the map of a large framework has tens of thousands of lines."""
    ours = False
    with (_SELF / "smaps").open() as lines:
        for line in lines:
            words = line.split(None, 5)
            if not words[0].endswith(":"):
                ours = len(words) > 5 and words[5].rstrip("\n") in files
            elif ours and words[0] == "Rss:":
                yield int(words[1]) * 1024
            elif ours and words[0] == "Anonymous:":
                yield -int(words[1]) * 1024  # written to since: this process's own by now
