"""A fixed piece of work, timed before and after a block: did the machine itself change?"""

from __future__ import annotations

import statistics
from time import perf_counter_ns

import numpy as np

_REPEATS = 5
_SIDE = 64
_TURNS = 120_000


def canary_ns() -> int:
    """The median of five runs of about 5 ms each: interpreter work and one small product."""
    left = np.arange(_SIDE * _SIDE, dtype=np.float32).reshape(_SIDE, _SIDE) / (_SIDE * _SIDE)
    return int(statistics.median(_once(left) for _ in range(_REPEATS)))


def _once(left: np.ndarray) -> int:
    """One run. The product is too small for a library to spread over threads."""
    start = perf_counter_ns()
    total = 0
    for turn in range(_TURNS):
        total += turn * turn
    for _ in range(20):
        np.dot(left, left)
    return perf_counter_ns() - start
