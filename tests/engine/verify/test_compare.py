"""Figures of a comparison: right, and finite whatever comes."""

from __future__ import annotations

import numpy as np
import pytest

from engine.records import dumps
from engine.verify.compare import compare, relative


def test_the_usual_figures() -> None:
    reference = np.array([[3.0, 4.0]], np.float32)
    found = compare("y", reference, np.array([[3.0, 4.5]], np.float32), 1e-6)
    assert found.max_abs == 0.5
    assert found.relative == pytest.approx(0.1)
    assert found.sqnr_db == pytest.approx(20.0)
    assert found.cosine == pytest.approx(27 / (5 * np.hypot(3, 4.5)))
    assert (found.top1_agree, found.top1_rows) == (1, 1)


def test_a_zero_reference_divides_by_no_zero() -> None:
    zero = np.zeros((2, 2), np.float32)
    assert relative(zero, zero) == 0.0
    assert relative(zero, zero + np.float32(1e-6)) == pytest.approx(1.0)
    found = compare("y", zero, zero, None)
    assert (found.cosine, found.sqnr_db, found.max_abs) == (None, None, 0.0)


@pytest.mark.parametrize(
    ("reference", "candidate"),
    [
        ([np.nan, 1.0], [1.0, np.nan]),
        ([np.inf, 1.0], [-np.inf, 1.0]),
        ([np.inf, 1.0], [np.nan, 1.0]),
    ],
)
def test_odd_values_elsewhere_have_no_relative(
    reference: list[float], candidate: list[float]
) -> None:
    found = compare("y", np.array(reference), np.array(candidate), None)
    assert (found.relative, found.max_abs) == (None, None)
    dumps(found)


def test_odd_values_in_the_same_place_are_left_out() -> None:
    found = compare("y", np.array([np.nan, 2.0]), np.array([np.nan, 2.5]), None)
    assert (found.max_abs, found.relative) == (0.5, 0.25)
    nothing = np.full((2, 2), np.nan, np.float32)
    assert compare("y", nothing, nothing, None).max_abs == 0.0


def test_whole_numbers_are_answers() -> None:
    found = compare("y", np.array([1, 2, 3]), np.array([1, 2, 4]), None)
    assert (found.top1_agree, found.top1_rows, found.max_abs) == (2, 3, 1.0)
    assert (found.relative, found.cosine, found.sqnr_db) == (None, None, None)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), ()])
def test_odd_shapes(shape: tuple[int, ...]) -> None:
    array = np.ones(shape, np.float32)
    dumps(compare("y", array, array, None))


def test_other_shapes_have_no_figures() -> None:
    found = compare("y", np.ones((2, 3)), np.ones((3, 2)), None)
    assert (found.max_abs, found.relative, found.cosine, found.top1_rows) == (None, None, None, 0)


def test_huge_values_stay_finite() -> None:
    huge = np.array([1e300, -1e300])
    dumps(compare("y", huge, -huge, None))
