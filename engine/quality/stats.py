"""Paired shares: two models asked the same questions. Exact where that costs nothing."""

from __future__ import annotations

import math

import numpy as np

from engine.verify.wilson import wilson


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p of McNemar's test, from the questions that only one of two got right.

    The chance of a split at least as uneven, were each as likely to fall to either: twice a
    binomial tail. McNemar, Psychometrika 12 (1947) 153-157.
    """
    both = only_first + only_second
    step = np.arange(1, min(only_first, only_second) + 1, dtype=float)
    # The logs of the binomial coefficients, each from the one before it.
    logs = np.concatenate(([0.0], np.cumsum(np.log((both - step + 1) / step))))
    highest = float(logs.max())
    tail = highest + math.log(float(np.exp(logs - highest).sum()))
    return min(1.0, math.exp(math.log(2) + tail - both * math.log(2)))


def paired_interval(
    both: int, only_first: int, only_second: int, neither: int
) -> tuple[float, float]:
    """The 95 % interval of the second share minus the first, both counted on the same questions.

    Newcombe's square-and-add interval from the two Wilson intervals, with their correlation
    (method 10 of Newcombe, Statistics in Medicine 17 (1998) 2635-2650).
    """
    n = both + only_first + only_second + neither
    first, second = both + only_first, both + only_second
    low1, high1 = wilson(first, n)
    low2, high2 = wilson(second, n)
    share1, share2 = first / n, second / n
    phi = _correlation(both, only_first, only_second, neither)
    difference = share2 - share1
    below = _combined(share2 - low2, high1 - share1, phi)
    above = _combined(high2 - share2, share1 - low1, phi)
    return difference - below, difference + above


def _combined(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))


def _correlation(both: int, only_first: int, only_second: int, neither: int) -> float:
    """How much the two answer alike, corrected for continuity where they do."""
    margins = (
        (both + only_first)
        * (only_second + neither)
        * (both + only_second)
        * (only_first + neither)
    )
    if not margins:
        return 0.0
    product: float = both * neither - only_first * only_second
    if product > 0:
        half = (both + only_first + only_second + neither) / 2
        product = max(0.0, product - half)
    return product / math.sqrt(margins)
