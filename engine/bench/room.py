"""How much memory a batch will take, before it is tried, and a wall for one that takes more."""

from __future__ import annotations

import resource
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from engine.bench.memory import resident
from engine.errors import Reason, TaskFailed
from engine.types import Artifact

_SLACK = 256 * 1024**2
"""Beyond the limit: stacks and address space that libraries set aside and never use."""


def predicted(taken: Mapping[int, int], batch: int) -> int | None:
    """Bytes a larger batch will take, on the line through the two largest that were tried.

    ``taken`` are the peaks by batch. None with fewer than two.
    """
    if len(taken) < 2:
        return None
    before, last = sorted(taken)[-2:]
    each = max(0.0, (taken[last] - taken[before]) / (last - before))
    return round(taken[last] + each * (batch - last))


@contextmanager
def walled(most_bytes: int) -> Iterator[None]:
    """Let this process's own memory grow to no more than this inside: allocating more fails.

    That is an error of the framework in this process, where the kernel would kill one that takes
    what is not there. Best entered with the framework imported.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wall = _data_bytes() - resident().anon_bytes + most_bytes + _SLACK
    limits = [wall, *(limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def no_other_batch(artifact: Artifact) -> str | None:
    """Why a model takes no batch but one; None where it takes any."""
    signature = artifact.signature
    if signature.batch_symbol is not None:
        return None
    first = next((spec.shape[0] for spec in signature.inputs if spec.shape), 1)
    return f"It has a fixed batch of {first}: it takes no other."


def _data_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    raise TaskFailed(
        "The kernel does not say how much memory this process has asked for (no VmData).",
        how=Reason.INTERNAL,
        hint="Measure on Linux, with /proc mounted.",
    )
