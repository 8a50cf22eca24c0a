"""One block, with runners that misbehave: each end in words or in figures."""

from __future__ import annotations

import mmap
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from engine.bench import clock
from engine.bench.measure import Subject, time_block
from engine.bench.model import Block, Preset
from engine.errors import InvalidModel
from engine.types import Feed

SHORT = Preset("short", 5, 0, 3, 0.0, 10, 0.0, 5.0, 0)


class Odd:
    """A runner that does what it is told at every call."""

    def __init__(self, infer: Callable[[Feed], dict[str, np.ndarray]]) -> None:
        self.infer = infer


def timed(infer: Callable[[Feed], dict[str, np.ndarray]], preset: Preset = SHORT) -> Block:
    @contextmanager
    def opened() -> Iterator[Odd]:
        yield Odd(infer)

    feeds: tuple[Feed, ...] = ({"x": np.ones(1, np.float32)},)
    return time_block(Subject("odd", "json", opened, feeds), preset, 0)


def answer(value: float = 1.0) -> dict[str, np.ndarray]:
    return {"y": np.full(3, value, np.float32)}


def test_a_model_that_answers_nan_half_way_is_not_timed() -> None:
    calls = 0

    def infer(feed: Feed) -> dict[str, np.ndarray]:
        nonlocal calls
        calls += 1
        time.sleep(50e-6)
        return answer(np.nan if calls > 8 else 1.0)

    with pytest.raises(InvalidModel, match=r"After 14 inferences .* \(3 values\)"):
        timed(infer)


@pytest.mark.parametrize(("most", "wanted"), [(20, True), (10_000, False)])
def test_only_a_model_too_quick_for_its_samples_is_warmed_on(
    monkeypatch: pytest.MonkeyPatch, most: int, wanted: bool
) -> None:
    """A thousand calls more would take a slow model minutes."""
    monkeypatch.setattr(clock, "MAX_SAMPLES", most)
    calls = 0

    def infer(feed: Feed) -> dict[str, np.ndarray]:
        nonlocal calls
        calls += 1
        time.sleep(1e-4)
        return answer()

    timed(infer, Preset("short", 5, 0, 3, 0.1, 10, 0.0, 5.0, 0))
    assert (calls > 1000) is wanted


def test_a_model_that_always_answers_nan_is_for_verification_to_judge() -> None:
    assert timed(lambda feed: answer(np.nan)).samples_ns


def test_a_model_of_microseconds_is_timed_in_loops() -> None:
    made = answer()
    block = timed(lambda feed: made)
    assert block.calls_per_sample > 50
    assert len(block.samples_ns) == 10
    assert max(block.warmup_ns) < 20_000 or np.median(block.samples_ns) < 20_000


def test_a_leak_shows_in_the_process_own_memory() -> None:
    kept: list[mmap.mmap] = []

    def infer(feed: Feed) -> dict[str, np.ndarray]:
        # Straight from the kernel: what this process has given back before is no help.
        kept.append(mmap.mmap(-1, 4 * 1024**2, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        kept[-1].write(b"x" * len(kept[-1]))
        return answer()

    block = timed(infer)
    assert block.anon_bytes is not None
    assert block.anon_bytes[1] - block.anon_bytes[0] > 30 * 1024**2


def test_what_a_model_has_others_compute_counts_as_its_own() -> None:
    def infer(feed: Feed) -> dict[str, np.ndarray]:
        subprocess.run([sys.executable, "-c", "sum(range(3_000_000))"], check=True)
        return answer()

    block = timed(infer, Preset("short", 5, 0, 1, 0.0, 3, 0.0, 5.0, 0))
    assert block.cpu_s > 0.05, "three processes that each compute for some hundredths of a second"
