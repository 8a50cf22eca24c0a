"""Cold start: how long from the start of a process to its first answer, phase by phase."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

from engine.bench.observations import ColdStart
from engine.bench.studies import Bench, Study
from engine.bench.subject import subject_of
from engine.jobs.protocol import Context
from engine.records import dump, parse

STUDY = Study(
    "cold",
    "Cold start",
    "From the start of a process to its first answer, with the file in the system's cache and "
    "without. Ten processes a variant.",
)
PROCESSES = 5
_START_FIELD = 19
"""Of ``/proc/self/stat`` behind the name: when the process started, in ticks since boot."""


def run(bench: Bench) -> tuple[ColdStart, ...]:
    """Five processes of each kind, in turn, so that no variant has a better time of it."""
    found = []
    for _ in range(PROCESSES):
        for evicted in (False, True):
            for variant in bench.variants:
                answer = bench.observe(variant, {"evicted": evicted})
                if answer is not None:
                    found.append(parse(ColdStart, answer["cold"]))
    return tuple(found)


def observe(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """``{"cold": ColdStart}`` of this very process."""
    start_s = _age_s()
    subject = subject_of(request, feeds=1)
    if request["evicted"]:
        _evict(Path(request["artifact"]["path"]))
    read = _read_bytes()
    start = perf_counter()
    importlib.import_module(subject.import_module)
    imported = perf_counter()
    with subject.open_runner() as runner:
        loaded = perf_counter()
        runner.infer(subject.feeds[0])
        answered = perf_counter()
        after = _read_bytes()
    found = ColdStart(
        variant=subject.variant,
        evicted=request["evicted"],
        start_s=start_s,
        import_s=imported - start,
        load_s=loaded - imported,
        first_s=answered - loaded,
        read_bytes=None if read is None or after is None else after - read,
    )
    return {"cold": dump(found)}


def _age_s() -> float:
    """How long ago this process was started. The kernel notes that to a hundredth of a second."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    started = int(fields[_START_FIELD]) / os.sysconf("SC_CLK_TCK")
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)


def _evict(path: Path) -> None:
    """Drop an artifact's files from this system's page cache; a host above it has its own."""
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _read_bytes() -> int | None:
    """What this process has read from storage so far, None where the kernel does not tell."""
    try:
        lines = Path("/proc/self/io").read_text().splitlines()
    except OSError:
        return None
    counts = dict(line.split(": ") for line in lines)
    return int(counts["read_bytes"])
