"""What this host reaches at most: measured once, and kept with its findings like its noise floor.

One a thread count and version of the runtime whose kernels were measured.
"""

from __future__ import annotations

from engine.bench.environment import host_id
from engine.lazy import Requirement
from engine.records import fingerprint
from engine.tuning.model import Machine


def known(threads: int) -> Machine | None:
    """What was measured here before with so many threads; None where nothing was."""
    from engine.store import findings

    return findings.load(_place(threads), findings.MACHINE, Machine)


def keep(machine: Machine) -> None:
    """Keep what was measured here, in place of what was known."""
    from engine.store import findings

    findings.save(_place(machine.threads), findings.MACHINE, machine)


def _place(threads: int) -> str:
    runtime = Requirement("onnxruntime", "onnxruntime").version or ""
    return fingerprint("machine", host_id(), threads, runtime)
