"""Log ratios of the same rounds: their middle, its interval, and how likely chance alone is.

From eight rounds on by signed ranks (Hodges and Lehmann 1963: the median of all pairwise means;
interval and p exact, for any noise that favours neither side); below, ranks cannot reach 95 %, and
Student's t is taken. A bootstrap of the median holds the truth in 92 to 94 of 100 cases here
where it promises 95.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from engine import student

FEW = 8
"""Rounds below which Student's t is taken."""


def middle(logs: Sequence[float]) -> float:
    """The median of all pairwise means, each value with itself among them."""
    return float(np.median(_pair_means(logs)))


def interval(logs: Sequence[float], level: float) -> tuple[float, float]:
    """Where the middle is, with this confidence. Needs two values."""
    if len(logs) < FEW:
        half = student.quantile(level, len(logs) - 1) * _error(logs)
        mean = float(np.mean(logs))
        return mean - half, mean + half
    ordered = _pair_means(logs)
    cut = max(0, int(np.searchsorted(_rank_sums(len(logs)), (1 - level) / 2, side="right")) - 1)
    return float(ordered[cut]), float(ordered[len(ordered) - 1 - cut])


def p_value(logs: Sequence[float]) -> float:
    """Two-sided: how often chance alone gives as much. Wilcoxon's, or Student's of few rounds."""
    if len(logs) < FEW:
        mean, error = abs(float(np.mean(logs))), _error(logs)
        if error == 0:
            return 1.0 if mean == 0 else 0.0
        return 1 - student.share(mean / error, len(logs) - 1)
    means = _pair_means(logs)
    above = float(np.count_nonzero(means > 0)) + np.count_nonzero(means == 0) / 2
    smaller = math.ceil(min(above, len(means) - above))
    return min(1.0, 2 * float(_rank_sums(len(logs))[smaller]))


def _error(logs: Sequence[float]) -> float:
    return float(np.std(logs, ddof=1)) / math.sqrt(len(logs))


def _pair_means(logs: Sequence[float]) -> np.ndarray:
    values = np.asarray(logs, dtype=float)
    one, other = np.triu_indices(len(values))
    return np.sort((values[one] + values[other]) / 2)


@cache
def _rank_sums(count: int) -> np.ndarray:
    """The chance that the ranks of the positive ones add up to at most 0, 1, 2 …"""
    ways = np.zeros(count * (count + 1) // 2 + 1)
    ways[0] = 1
    for rank in range(1, count + 1):
        ways[rank:] += ways[:-rank].copy()
    return np.cumsum(ways) / 2.0**count
