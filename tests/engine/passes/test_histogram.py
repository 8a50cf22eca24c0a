"""The ranges that calibration finds, and that its memory does not grow."""

from __future__ import annotations

import numpy as np
import pytest

from engine.passes.int8_static.histogram import SIDE, Histogram


def filled(*pieces: np.ndarray) -> Histogram:
    made = Histogram(bins=True)
    for piece in pieces:
        assert made.add(piece.astype(np.float32))
    return made


def test_pieces_give_what_the_whole_gives() -> None:
    values = np.random.default_rng(0).standard_normal(10_000).astype(np.float32)
    whole, parts = filled(values), filled(values[:1], *np.array_split(values[1:], 7))
    assert parts.counts.size == 2 * SIDE
    assert parts.counts.sum() == whole.counts.sum() == values.size
    assert parts.range_by("minmax", 0) == (float(values.min()), float(values.max()))
    for method in ("percentile", "entropy"):
        assert parts.range_by(method, 99.0) == pytest.approx(whole.range_by(method, 99.0), rel=0.05)


def test_a_percentile_cuts_half_of_the_rest_at_each_end() -> None:
    values = np.linspace(-1, 1, 100_001)
    low, high = filled(values).range_by("percentile", 90.0)
    assert (low, high) == pytest.approx((-0.9, 0.9), abs=2e-3)


def test_entropy_cuts_a_lone_outlier_and_keeps_even_values() -> None:
    values = np.random.default_rng(1).standard_normal(100_000)
    _, high = filled(np.append(values, 60.0)).range_by("entropy", 0)
    assert 3 < high < 30
    even = np.random.default_rng(2).uniform(-1, 1, 100_000)
    assert filled(even).range_by("entropy", 0)[1] > 0.95


@pytest.mark.parametrize("method", ["minmax", "percentile", "entropy"])
def test_zero_is_always_inside(method: str) -> None:
    assert filled(np.full(100, 3.0)).range_by(method, 99.0)[0] == 0
    assert filled(np.zeros(100)).range_by(method, 99.0) == (0, 0)
    assert filled(np.zeros(0)).range_by(method, 99.0) == (0, 0)


def test_what_is_not_finite_is_not_taken() -> None:
    made = filled(np.ones(3))
    assert not made.add(np.array([1, np.nan], np.float32))
    assert not made.add(np.array([1, -np.inf], np.float32))
    assert made.counts.sum() == 3
