"""One memory pass, in a fresh worker process: phase by phase, then the same model once more."""

from __future__ import annotations

import importlib
import resource
from time import monotonic

from engine import kernel
from engine.bench.measure import Subject
from engine.bench.memory import (
    each_resident,
    mapped,
    own_files,
    phase,
    reset_peak,
    resident,
    trim,
)
from engine.bench.model import MemoryPass, SecondCopy
from engine.registry import format_named
from engine.types import Artifact, Caching, Runner

STEADY_CALLS, STEADY_S = 50, 10.0
"""Steady after so many inferences, or after so many seconds, but after three at least."""
_LEAST_CALLS = 3
_COPY_CALLS = 10
_ROOM = 1.25
"""The model is opened again only where so many times its own rise is still free."""


def weigh(subject: Subject, artifact: Artifact) -> MemoryPass:
    """What the kernel counts at the end of import, load, first inference and steady run. Untimed.

    Then the same artifact is opened and run beside the first: that tells what each copy costs from
    what the runtime sets up once.
    """
    files = own_files(artifact.path)
    reset_peak()
    importlib.import_module(subject.import_module)
    imported = phase("import", files)
    reset_peak()
    with subject.open_runner() as runner:
        loaded = phase("load", files)
        reset_peak()
        runner.infer(subject.feeds[0])
        first = phase("first", files, calls=1)
        reset_peak()
        calls = _run(runner, subject, STEADY_CALLS, STEADY_S)
        steady = phase("steady", files, calls)
        cache = runner.cache_bytes() if isinstance(runner, Caching) else (None, None)
        peak = max(one.peak_bytes for one in (loaded, first, steady))
        copy = _once_more(subject, files, peak - imported.resident_bytes)
    tensors = format_named(artifact.format).tensor_bytes
    return MemoryPass(
        variant=subject.variant,
        baseline_bytes=imported.resident_bytes,
        loaded_bytes=loaded.peak_bytes,
        peak_bytes=peak,
        resident_anon_bytes=steady.anon_bytes,
        resident_file_bytes=steady.file_bytes,
        phases=(imported, loaded, first, steady),
        copy=copy,
        tensor_bytes=tensors(artifact.path) if tensors else None,
        cache_bytes=cache[0],
        cache_told_bytes=cache[1],
    )


def _once_more(subject: Subject, files: frozenset[str], rise: int) -> SecondCopy | None:
    """Open and run it beside the first; None where that might take more than there is."""
    if _ROOM * rise > _free():
        return None
    with_freed = _apart(files)
    trim()
    before = _apart(files)
    with subject.open_runner() as runner:
        trim()
        opened = _apart(files)
        runner.infer(subject.feeds[0])  # from here on all of its file that is used is mapped
        reset_peak()
        _run(runner, subject, _COPY_CALLS, STEADY_S)
        peak = resident().peak_bytes - resident().now_bytes + _apart(files)
        trim()
        held = _apart(files)
    return SecondCopy(
        freed_bytes=max(0, with_freed - before),
        weights_bytes=max(0, opened - before),
        workspace_bytes=max(0, peak - opened),
        held_bytes=max(0, held - opened),
    )


def _apart(files: frozenset[str]) -> int:
    """What this process and those below it hold now, without pages of the artifact's own files."""
    return sum(one.now_bytes for one in each_resident().values()) - mapped(files)


def _free() -> int:
    """Bytes this process may still take: of the machine, and of what the task may (see worker)."""
    limit = resource.getrlimit(resource.RLIMIT_DATA)[0]
    free = kernel.available()
    if limit == resource.RLIM_INFINITY:
        return free
    return min(free, limit // 2 - resident().anon_bytes)


def _run(runner: Runner, subject: Subject, most: int, seconds: float) -> int:
    """Inferences until there are enough of them or time is up; how many there were."""
    until = monotonic() + seconds
    for call in range(most):
        if call >= _LEAST_CALLS and monotonic() > until:
            return call
        runner.infer(subject.feeds[call % len(subject.feeds)])
    return most
