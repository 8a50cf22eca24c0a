"""Intervals of what comes in groups: they hold what they promise, and depend on no order."""

from __future__ import annotations

import numpy as np
import pytest

from engine.verify.groups import by_groups, share_by_groups
from engine.verify.wilson import wilson


@pytest.mark.parametrize("groups", [3, 7, 8, 30])
def test_the_truth_lies_inside_as_often_as_promised(groups: int) -> None:
    """Groups of 50 places with a mean of their own: what is drawn has the mean 0."""
    random = np.random.default_rng(7)
    hits = 0
    for _ in range(200):
        values = random.normal(size=(groups, 1)) + 0.5 * random.normal(size=(groups, 50))
        found = by_groups(values.sum(1).tolist(), [50] * groups)
        assert found is not None
        hits += found[0] <= 0 <= found[1]
    assert 0.9 <= hits / 200 <= 0.99


def test_the_same_groups_in_another_order_are_the_same() -> None:
    sums, sizes = [1.0, 5.0, 2.0, 9.0, 4.0, 7.0, 3.0, 8.0], [10, 12, 10, 14, 10, 12, 9, 11]
    assert by_groups(sums, sizes) == by_groups(sums[::-1], sizes[::-1])


def test_one_group_says_nothing_of_others() -> None:
    assert by_groups([3.0], [50]) is None
    assert share_by_groups([49], [50]) == (0.0, 1.0)


def test_groups_that_do_not_differ_are_as_many_single_answers() -> None:
    assert share_by_groups([50] * 20, [50] * 20) == wilson(20, 20)
    assert share_by_groups([0] * 3, [50] * 3) == wilson(0, 3)


def test_a_share_stays_between_nothing_and_all() -> None:
    low, high = share_by_groups([50, 50, 40], [50] * 3)
    assert 0 <= low < 140 / 150 < high == 1


def test_many_groups_cost_little() -> None:
    """A hundred thousand samples of few kinds are drawn as these kinds."""
    right = [48 + at % 3 for at in range(100_000)]
    low, high = share_by_groups(right, [50] * len(right))
    assert high - low < 2e-4
    assert low < 49 / 50 < high
