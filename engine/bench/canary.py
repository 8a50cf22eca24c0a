"""A fixed piece of work, timed before and after a block: did the machine itself change?"""

from __future__ import annotations

from time import perf_counter_ns

import numpy as np

_REPEATS = 12
_READINGS, _STRETCH = 30, 8
_SIDE = 64
_TURNS = 60_000


def canary_ns() -> int:
    """The fastest of twelve runs of about 3 ms: interpreter work and a small product.

    The fastest moves when the machine's own pace does, and not with every passing interrupt.
    """
    left = _operand()
    return min(_once(left) for _ in range(_REPEATS))


def canary_series_ns() -> tuple[int, ...]:
    """Thirty readings of about 25 ms each, whole: they show whether the pace is even."""
    left = _operand()
    return tuple(sum(_once(left) for _ in range(_STRETCH)) for _ in range(_READINGS))


def _operand() -> np.ndarray:
    return np.arange(_SIDE * _SIDE, dtype=np.float32).reshape(_SIDE, _SIDE) / (_SIDE * _SIDE)


def _once(left: np.ndarray) -> int:
    """One run. The product is too small for a library to spread over threads."""
    start = perf_counter_ns()
    total = 0
    for turn in range(_TURNS):
        total += turn * turn
    for _ in range(20):
        np.dot(left, left)
    return perf_counter_ns() - start
