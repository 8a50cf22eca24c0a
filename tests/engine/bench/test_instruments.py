"""Clock, memory, canary and the machine's own facts."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.bench.canary import canary_ns
from engine.bench.clock import MIN_CAPPED, timed_calls, without_gc
from engine.bench.environment import Watch, environment
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


def test_the_cap_ends_slow_models_but_leaves_some_samples() -> None:
    samples = timed_calls(lambda feed: None, feeds(1), iterations=10**6, seconds=99, cap_s=0)
    assert len(samples) == MIN_CAPPED


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
