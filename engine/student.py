"""Student's distribution, in closed form: reports need it where scipy (50 MB) would be too much."""

from __future__ import annotations

import math
from functools import cache

_LARGEST = 1e9


def share(t: float, freedom: int) -> float:
    """The share of Student's distribution between −t and t (Abramowitz and Stegun, 26.7.3-4)."""
    angle = math.atan(t / math.sqrt(freedom))
    term = math.cos(angle) if freedom % 2 else 1.0
    total = term if freedom > 1 or freedom % 2 == 0 else 0.0
    for step in range(2 + freedom % 2, freedom - 1, 2):
        term *= (step - 1) / step * math.cos(angle) ** 2
        total += term
    if freedom % 2:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total


@cache
def quantile(level: float, freedom: int) -> float:
    """The t between whose negative and itself ``level`` of Student's distribution lies."""
    low, high = 0.0, _LARGEST
    while high - low > 1e-9 * max(1.0, high):
        half = (low + high) / 2
        low, high = (half, high) if share(half, freedom) < level else (low, half)
    return high
