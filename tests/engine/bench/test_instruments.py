"""Clock, memory, canary and the machine's own facts."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.bench import clock
from engine.bench.canary import canary_ns
from engine.bench.clock import loops_for, timed_calls, without_gc
from engine.bench.environment import Watch, environment
from engine.errors import TaskFailed
from engine.types import Feed

ROOT = Path(__file__).parents[3]


def feeds(count: int) -> tuple[Feed, ...]:
    return tuple({"x": np.full(1, n)} for n in range(count))


def test_feeds_take_turns() -> None:
    seen: list[int] = []
    timed_calls(
        lambda feed: seen.append(int(feed["x"][0])), feeds(3), iterations=7, seconds=0, cap_s=9
    )
    assert seen == [0, 1, 2, 0, 1, 2, 0]


def test_every_call_is_kept_in_nanoseconds() -> None:
    samples = timed_calls(lambda feed: None, feeds(1), iterations=20, seconds=0, cap_s=9)
    assert len(samples) == 20
    assert all(isinstance(sample, int) and sample >= 0 for sample in samples)


class Clock:
    """A clock that only calls move."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0
        monkeypatch.setattr(clock, "perf_counter_ns", lambda: self.now)

    def taking(self, ns: int) -> Callable[[Feed], None]:
        def call(feed: Feed) -> None:
            self.now += ns

        return call


@pytest.mark.parametrize(
    ("seconds", "samples"),
    [(0.01, 100), (0.5, 20), (3.0, 5), (12.0, 3), (60.0, 3)],
)
def test_slow_models_get_fewer_samples_but_some(
    monkeypatch: pytest.MonkeyPatch, seconds: float, samples: int
) -> None:
    call = Clock(monkeypatch).taking(int(seconds * 1e9))
    found = timed_calls(call, feeds(1), iterations=50, seconds=1.0, cap_s=10.0)
    assert len(found) == samples
    assert set(found) == {int(seconds * 1e9)}


def test_calls_too_short_for_the_clock_are_timed_in_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    call = Clock(monkeypatch).taking(7_000)
    assert loops_for((7_000, 7_100, 6_900)) == 143
    assert loops_for((20_000, 20_000)) == 1
    found = timed_calls(call, feeds(3), iterations=5, seconds=0, cap_s=9, loops=143)
    assert found == (7_000,) * 5


def test_a_clock_that_goes_backwards_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    call = Clock(monkeypatch).taking(-2_500)
    with pytest.raises(TaskFailed, match="went back by 2500 ns"):
        timed_calls(call, feeds(1), iterations=5, seconds=0, cap_s=9)


def test_the_collector_rests_and_comes_back() -> None:
    assert gc.isenabled()
    with pytest.raises(KeyError), without_gc():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()


def test_the_peak_rises_with_memory_that_is_touched_and_can_be_reset() -> None:
    """In a process of its own: this one's heap has holes that 64 MiB may fit into."""
    script = """
import numpy as np
from engine.bench.memory import reset_peak, resident
before = resident().peak_bytes
block = np.ones(64 * 1024**2 // 8)
risen = resident().peak_bytes
del block
reset_peak()
print(before, risen, resident().peak_bytes)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    before, risen, reset = map(int, done.stdout.split())
    assert risen - before > 48 * 1024**2
    assert risen - reset > 48 * 1024**2


def test_the_canary_does_some_work() -> None:
    assert canary_ns() > 100_000


def test_the_environment_names_processor_memory_and_packages() -> None:
    found = environment("A (bubblewrap)")
    for fact in ("Processor", "Memory", "Kernel", "CPUs this process may use", "Python", "Sandbox"):
        assert found.facts[fact]
    assert found.packages["numpy"] == np.__version__


def test_shares_are_shares_or_not_known() -> None:
    found = Watch().since()
    for share in (found.steal_share, found.psi_share):
        assert share is None or 0 <= share <= 1
