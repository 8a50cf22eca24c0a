"""Which units go: the least important of each layer, or of all layers as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MOST = 0.9
"""What a layer can lose where all are ranked as one: none is emptied."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A layer's units with how important each is; ``first`` is how many it had to begin with."""

    name: str
    scores: np.ndarray
    first: int
    share: float
    parts: int = 1
    """Channels a unit."""

    @property
    def gone(self) -> int:
        """How many units were taken out in earlier steps."""
        return self.first - len(self.scores)


def least(
    ranked: Sequence[Ranked], part: float = 1.0, *, multiple: int = 1, together: bool = False
) -> dict[str, list[int]]:
    """By layer, the units to take out so that ``part`` of its share is gone; in order.

    ``together`` takes as many from all layers as one. What is left of a layer is rounded up to a
    ``multiple`` of channels, where it had at least two of them.
    """
    due = {one.name: int(one.first * one.share * part) - one.gone for one in ranked}
    if together:  # a layer that lost more than its own share before has paid for another
        counts = _pooled(ranked, max(0, sum(due.values())))
    else:
        counts = {name: max(0, count) for name, count in due.items()}
    found = {one.name: _lowest(one, _rounded(one, counts[one.name], multiple)) for one in ranked}
    return {name: units for name, units in found.items() if units}


def _pooled(ranked: Sequence[Ranked], count: int) -> dict[str, int]:
    """How many each layer loses when the ``count`` least important of all go."""
    taken = {one.name: 0 for one in ranked}
    room = {one.name: int(one.first * MOST) - one.gone for one in ranked}
    pool = [one for one in ranked if one.share > 0]
    for _, name in sorted((float(score), one.name) for one in pool for score in one.scores):
        if count and taken[name] < room[name]:
            taken[name] += 1
            count -= 1
    return taken


def _rounded(one: Ranked, count: int, multiple: int) -> int:
    """Fewer than ``count``, so that the channels left are a multiple."""
    if one.first * one.parts < 2 * multiple or multiple % one.parts:
        return count
    step = multiple // one.parts
    left = len(one.scores) - count
    return max(0, len(one.scores) - -(-left // step) * step)


def _lowest(one: Ranked, count: int) -> list[int]:
    return sorted(np.argsort(one.scores, kind="stable")[:count].tolist())
