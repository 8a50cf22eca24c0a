"""What one task may take of this machine, and the end of one whose processes take more."""

from __future__ import annotations

from engine import kernel, processor
from engine.errors import Reason, TaskFailed, UnsafeModel
from engine.kernel import MOST_COUNTED, Taken
from engine.settings import GIB, settings

MOST_PROCESSES = MOST_COUNTED
"""Of a task. Frameworks start threads by the hundred, but hardly a process."""

_LEFT = 16
"""A sixteenth of the machine stays for the system, the host and the web process."""
_LEAST = GIB


def memory() -> int:
    """Bytes a task may take that begins now: what is asked for, else nearly all that is free."""
    asked = settings().task_memory_bytes
    return asked or max(_LEAST, kernel.available() - kernel.total() // _LEFT)


def cpu_seconds(wall_s: float) -> int:
    """CPU time a process of a task may take: all cores for twice the time the task has."""
    return int(2 * wall_s * processor.cores()) + 1


def check(found: Taken, most_bytes: int) -> None:
    """Raises TaskFailed for a tree that has too much memory, UnsafeModel for a swarm."""
    if found.memory_bytes > most_bytes:
        raise TaskFailed(
            f"Stopped: this step had taken {found.memory_bytes / GIB:.1f} GiB of memory, and may "
            f"take {most_bytes / GIB:.1f} GiB here.",
            how=Reason.OUT_OF_MEMORY,
            hint="Close other programs, or try a smaller model or batch; "
            "ASSAY_TASK_MEMORY_GIB sets what a step may take.",
        )
    if found.processes > MOST_PROCESSES:
        raise UnsafeModel(
            f"Stopped: this step started more than {MOST_PROCESSES} processes.",
            hint="No model needs so many. Do not trust this file.",
        )
