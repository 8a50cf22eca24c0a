"""Sizes that double until no more comes of it, and the memory that a size will take."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.bench import room, sweep
from engine.bench.model import Variant
from engine.types import Signature, TensorSpec
from tests.models import eager

MIB = 1024**2


@pytest.mark.parametrize(
    ("rates", "ended"),
    [
        ([100], False),
        ([100, 101], False),
        ([100, 101, 102], True),
        ([100, 104, 108], False),  # 4 % twice are 8 %
        ([100, 200, 205, 209], True),
        ([100, 200, 205, 211], False),
        ([100, 90, 80], True),
        ([100, 90, 200], False),
    ],
)
def test_two_doublings_that_give_less_than_5_percent_are_enough(
    rates: list[float], ended: bool
) -> None:
    assert sweep.saturated(rates) is ended


def test_the_smallest_size_that_gives_as_much_as_any() -> None:
    assert sweep.enough({1: 100, 2: 190, 4: 199, 8: 200}) == 4
    assert sweep.enough({1: 100, 2: 191, 4: 199, 8: 200}) == 2
    assert sweep.enough({1: 100}) == 1


def test_an_artifact_is_studied_once_at_each_number_of_threads() -> None:
    def variant(key: str, artifact: str, batch: int, threads: int) -> Variant:
        return Variant(key, artifact, "onnx", "ONNX", batch, threads)

    found = sweep.one_batch(
        (
            variant("a8", "a", 8, 1),
            variant("a1", "a", 1, 1),
            variant("a1t2", "a", 1, 2),
            variant("b8", "b", 8, 1),
        )
    )
    assert [one.key for one in found] == ["a1", "a1t2", "b8"]


@pytest.mark.parametrize("truth", [1, 2, 3, 17, 100, 1000, 4095])
def test_the_largest_size_is_found_to_a_sixteenth(truth: int) -> None:
    tried: list[int] = []

    def fits(size: int) -> bool:
        tried.append(size)
        return size <= truth

    low, high = sweep.largest(fits, 4096, 16)
    assert high is not None
    assert low <= truth < high
    assert high - low <= max(1, low // 16)
    assert len(tried) == len(set(tried)) <= 2 * truth.bit_length() + 1


def test_the_largest_size_may_be_none_or_all() -> None:
    assert sweep.largest(lambda size: False, 64, 16) == (0, 1)
    assert sweep.largest(lambda size: True, 64, 16) == (64, None)


def test_memory_goes_on_as_it_went_between_the_last_two() -> None:
    assert room.predicted({}, 2) is None
    assert room.predicted({1: 100}, 2) is None
    assert room.predicted({1: 100, 2: 100, 4: 140}, 8) == 140 + 4 * 20
    assert room.predicted({8: 300, 4: 200}, 16) == 500
    assert room.predicted({1: 100, 2: 90}, 64) == 90


def test_what_takes_more_than_is_free_fails_and_is_not_killed() -> None:
    """In a process of its own: the threads of others would take from the same room."""
    script = f"""
import resource
import numpy as np
from engine.bench import room
before = resource.getrlimit(resource.RLIMIT_DATA)
with room.walled(256 * {MIB}):
    small = np.ones(16 * {MIB}, np.uint8)
    try:
        np.ones(4096 * {MIB}, np.uint8)
        raise SystemExit("there was room")
    except MemoryError:
        pass
assert small.sum() == 16 * {MIB}
assert resource.getrlimit(resource.RLIMIT_DATA) == before
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_model_of_a_fixed_batch_has_no_other(tmp_path: Path) -> None:
    model = eager(tmp_path / "model")
    assert room.no_other_batch(model) is None
    fixed = Signature((TensorSpec("image", "float32", (4, 1, 8, 8)),))
    why = room.no_other_batch(replace(model, signature=fixed))
    assert why == "It has a fixed batch of 4: it takes no other."
