"""Processes that workers left behind when their host was killed: found at the next start, ended.

A sandbox of tier A leaves none. Elsewhere a worker dies with its host, and what it started may not.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

from engine.settings import settings

STARTED_BY = "ASSAY_STARTED_BY"
"""Who started a worker, in its environment: ``<pid>-<time of its start>``, as no other has it."""
_STARTER = re.compile(r"[0-9]{1,10}-[0-9]{1,20}")


def this_process() -> str:
    """What this process is called in the environment of those it starts."""
    return _name(str(os.getpid()))


def end() -> int:
    """End what belongs to this data folder and to a process that is gone; gives how many."""
    found = tuple(_strays())
    for pid in found:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return len(found)


def _strays() -> Iterator[int]:
    """By what they were started with: a folder of ours as their home, and a starter that died."""
    homes = f"{settings().jobs_dir}{os.sep}"
    for place in Path("/proc").glob("[0-9]*/environ"):
        try:
            pairs = place.read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:
            continue  # gone meanwhile, or somebody else's
        environment = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        starter = environment.get(STARTED_BY, "")
        ours = environment.get("HOME", "").startswith(homes) and _STARTER.fullmatch(starter)
        if ours and not _lives(starter):
            yield int(place.parent.name)


def _lives(starter: str) -> bool:
    return _name(starter.partition("-")[0]) == starter


def _name(pid: str) -> str:
    """A process by number and time of start (ticks since boot); empty for one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else f"{pid}-{fields[19]}"
