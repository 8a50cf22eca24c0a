"""Two ratios that were measured apart: on two machines, or at two times."""

from __future__ import annotations

import math

from engine.bench.stats import LEVEL, Ratio, judge

_NORMAL = 1.959964
"""Standard errors to either side that hold 95 % (``LEVEL``)."""


def quotient(first: Ratio, second: Ratio) -> Ratio:
    """How many times as large the second ratio is as the first.

    The interval is made of the two intervals' own distances, on logs (MOVER: Zou and Donner,
    Statistics in Medicine 27 (2008) 1693-1702), the two being independent of each other; p is the
    normal one that agrees with it. Judged by the larger ``delta`` of the two. ``faster`` here
    means a larger ratio: it says nothing of milliseconds.
    """
    one, (low_one, high_one) = math.log(first.value), _bounds(first)
    other, (low_other, high_other) = math.log(second.value), _bounds(second)
    middle = other - one
    below = math.hypot(other - low_other, high_one - one)
    above = math.hypot(high_other - other, one - low_one)
    delta = max(first.delta, second.delta)
    p = _p_value(middle, below if middle > 0 else above)
    return Ratio(
        value=math.exp(middle),
        low=math.exp(middle - below),
        high=math.exp(middle + above),
        rounds=min(first.rounds, second.rounds),
        verdict=judge(middle, middle - below, middle + above, delta),
        delta=delta,
        p=p,
        p_adjusted=p,
    )


def _bounds(ratio: Ratio) -> tuple[float, float]:
    return math.log(ratio.low), math.log(ratio.high)


def _p_value(middle: float, half: float) -> float:
    """Two-sided, of a value whose interval reaches ``half`` towards nothing."""
    assert LEVEL == 0.95
    if half == 0:
        return 1.0 if middle == 0 else 0.0
    return math.erfc(abs(middle) / (half / _NORMAL) / math.sqrt(2))
