"""What speaks against the machine and not against a model. All limits are declared beforehand.

Stalls and averages count only while other processes really used a CPU: a model with many threads
makes its own threads wait, and the kernel's averages still hold our own work of the minute before.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from engine.bench import nvml
from engine.bench.model import Block, GateReading

STEAL_LIMIT = 0.02
DRIFT_LIMIT = 0.05
STALL_LIMIT = 0.10
OTHERS_LIMIT = 0.10
"""CPUs that other processes keep busy, below which they explain no stall."""

GATE_SPREAD, GATE_RANGE = 0.02, 1.15
GATE_PSI, GATE_STEAL, GATE_LOAD = 0.10, 0.01, 0.5


def outside_evidence(blocks: Sequence[Block]) -> str | None:
    """Why a round says more about the machine than about the models; None when it does not."""
    for block in blocks:
        found = next(_against(block), None)
        if found is not None:
            return found
    return None


def gate_failures(reading: GateReading) -> tuple[str, ...]:
    """What is wrong with the machine before anything is timed, each reading with its limit."""
    return (*_uneven(reading), *_busy(reading), *_cramped(reading))


def _against(block: Block) -> Iterator[str]:
    if block.steal_share is not None and block.steal_share > STEAL_LIMIT:
        yield f"the hypervisor took {100 * block.steal_share:.1f} % of the processor time"
    before, after = block.canary_ns
    drift = abs(after - before) / min(before, after)
    if drift > DRIFT_LIMIT:
        word = "longer" if after > before else "shorter"
        yield f"fixed work took {100 * drift:.0f} % {word} after a block than before it"
    if block.psi_share is not None and block.psi_share > STALL_LIMIT and _others(block.others_cpus):
        yield (
            f"other work kept {block.others_cpus or 0:.1f} CPUs busy and something waited for a "
            f"CPU {100 * block.psi_share:.0f} % of the time"
        )
    if block.throttled:
        times = "once" if block.throttled == 1 else f"{block.throttled} times"
        yield f"the control group's CPU quota stopped the process {times}"
    if block.gpu and nvml.FROM_OUTSIDE in block.gpu.slowed:
        yield f"the GPU's clock was held back by {nvml.FROM_OUTSIDE}"


def _others(cpus: float | None) -> bool:
    """Whether other processes can explain a stall; where nobody counts, they may not."""
    return cpus is not None and cpus > OTHERS_LIMIT


def _uneven(reading: GateReading) -> Iterator[str]:
    middle = statistics.median(reading.canary_ns)
    spread = statistics.median(abs(value - middle) for value in reading.canary_ns) / middle
    if spread > GATE_SPREAD:
        yield f"fixed work varied by {100 * spread:.1f} % (at most {100 * GATE_SPREAD:.0f} %)"
    ratio = max(reading.canary_ns) / min(reading.canary_ns)
    if ratio > GATE_RANGE:
        yield f"the slowest fixed work took {ratio:.2f}× the fastest (at most {GATE_RANGE}×)"


def _busy(reading: GateReading) -> Iterator[str]:
    if reading.steal_share is not None and reading.steal_share > GATE_STEAL:
        yield (
            f"the hypervisor took {100 * reading.steal_share:.1f} % of the processor time "
            f"(at most {100 * GATE_STEAL:.0f} %)"
        )
    if not _others(reading.others_cpus):
        return
    if reading.psi_avg10 is not None and reading.psi_avg10 > GATE_PSI:
        yield (
            f"something waited for a CPU {100 * reading.psi_avg10:.0f} % of the time "
            f"(at most {100 * GATE_PSI:.0f} %)"
        )
    if reading.load1 is not None and reading.load1 / reading.cpus > GATE_LOAD:
        yield (
            f"the load was {reading.load1:.1f} on {reading.cpus} CPUs "
            f"(at most {GATE_LOAD * reading.cpus:g})"
        )


def _cramped(reading: GateReading) -> Iterator[str]:
    gib = 1024**3
    available = reading.memory_available
    if available is not None and available < reading.memory_needed:
        yield (
            f"{available / gib:.1f} GiB of memory were free, and {reading.memory_needed / gib:.1f} "
            "are wanted (twice the largest peak)"
        )
    if reading.disk_free < reading.disk_needed:
        yield (
            f"{reading.disk_free / gib:.1f} GiB of disk were free, and "
            f"{reading.disk_needed / gib:.1f} are wanted (twice the largest artifact)"
        )
