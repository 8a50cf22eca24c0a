"""Paired shares, against published figures and against counting."""

from __future__ import annotations

from itertools import product

import pytest

from engine.quality.stats import mcnemar, paired_interval


@pytest.mark.parametrize(
    ("cells", "interval"),
    [
        ((36, 12, 2, 0), (0.0569, 0.3404)),
        ((20, 12, 2, 16), (0.0562, 0.3292)),
        ((36, 14, 0, 0), (0.1528, 0.4167)),
        ((54, 0, 0, 0), (-0.0664, 0.0664)),
        ((30, 0, 0, 24), (-0.0358, 0.0358)),
    ],
)
def test_the_interval_is_the_published_one(
    cells: tuple[int, int, int, int], interval: tuple[float, float]
) -> None:
    """Newcombe (1998), table II, method 10; there the first share minus the second."""
    low, high = paired_interval(*cells)
    assert (-high, -low) == pytest.approx(interval, abs=5e-5)


@pytest.mark.parametrize(("lost", "won"), [(0, 0), (1, 0), (3, 1), (2, 7), (5, 5)])
def test_mcnemar_is_the_share_of_splits_at_least_as_uneven(lost: int, won: int) -> None:
    both = lost + won
    splits = [sum(one) for one in product((0, 1), repeat=both)]
    as_uneven = sum(abs(2 * one - both) >= abs(lost - won) for one in splits)
    assert mcnemar(lost, won) == pytest.approx(as_uneven / len(splits))


def test_mcnemar_of_very_many_is_a_number() -> None:
    assert 0 < mcnemar(5000, 5200) < 1
    assert mcnemar(10_000, 20_000) == pytest.approx(0, abs=1e-300)
