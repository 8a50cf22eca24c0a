"""An interval where places come in groups: windows of a text, samples with several answers.

Places of one group resemble each other, so that it is whole groups that are drawn anew.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from engine import student
from engine.verify.model import FEW
from engine.verify.wilson import wilson

RESAMPLES = 4_000

_SEED = 20240
_TAILS = (0.025, 0.975)


def by_groups(sums: Sequence[float], sizes: Sequence[int]) -> tuple[float, float] | None:
    """The 95 % interval of sum(``sums``) / sum(``sizes``), one of each a group; None of one group.

    Groups are drawn with replacement, one fewer than there are, which makes up for the narrowness
    of a bootstrap over few (seeded; Davison and Hinkley, Bootstrap Methods, 1997, section 2.4).
    With fewer than ``FEW`` the interval is Student's, of the ratio's linearization.
    """
    many = len(sums)
    if many < 2:
        return None
    if many < FEW:
        return _student(np.asarray(sums, float), np.asarray(sizes, float))
    # Groups that are equal are drawn as one kind, so that the work does not grow with their number.
    kinds, counts = np.unique(
        np.column_stack([np.asarray(sums, float), np.asarray(sizes, float)]),
        axis=0,
        return_counts=True,
    )
    random = np.random.default_rng(_SEED)
    drawn = random.multinomial(many - 1, counts / many, size=RESAMPLES) @ kinds
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], _TAILS)
    return float(low), float(high)


def _student(sums: np.ndarray, sizes: np.ndarray) -> tuple[float, float]:
    many = len(sums)
    middle = float(sums.sum() / sizes.sum())
    left = sums - middle * sizes
    error = math.sqrt(many / (many - 1) * float(left @ left)) / float(sizes.sum())
    spread = student.quantile(0.95, many - 1) * error
    return middle - spread, middle + spread


def share_by_groups(right: Sequence[int], sizes: Sequence[int]) -> tuple[float, float]:
    """The 95 % interval of a share that was counted in groups; all there is where nothing is known.

    Where the groups do not differ, drawing them says nothing of how they might: the interval is
    then Wilson's of as many single answers as there are groups.
    """
    found = by_groups(right, sizes)
    if found is None:
        return 0.0, 1.0
    low, high = found
    if low < high:
        return max(0.0, low), min(1.0, high)
    return wilson(len(sizes) * sum(right) / sum(sizes), len(sizes))
