"""Loops under a monotonic clock, with the garbage collector out of the way. Nanoseconds."""

from __future__ import annotations

import gc
import itertools
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter_ns

from engine.errors import Reason, TaskFailed
from engine.types import Feed

MAX_SAMPLES = 10_000
"""A block never keeps more: a model of some microseconds would fill the report otherwise."""

MIN_CAPPED = 5
"""What a model of seconds an inference still gets when its time is up."""

MIN_SLOW = 3
"""What one gets that takes longer than the whole cap: some minutes a process, and not more."""

SHORTEST_NS = 20_000
LEAST_SAMPLE_NS = 1_000_000
"""Calls below 20 µs are timed in loops of at least 1 ms: the clock itself costs 0.1 µs a look."""

_NS = 1_000_000_000


def timed_calls(
    call: Callable[[Feed], object],
    feeds: tuple[Feed, ...],
    *,
    iterations: int,
    seconds: float,
    cap_s: float,
    loops: int = 1,
    least: int = MIN_CAPPED,
    after: Callable[[], None] | None = None,
) -> tuple[int, ...]:
    """Call with the feeds in turn until ``iterations`` samples and ``seconds`` have both passed.

    Stops at ``cap_s`` seconds once there are ``least`` samples (``MIN_SLOW`` of calls that each
    take longer than that), and at ``MAX_SAMPLES``. With ``loops`` above 1 a sample is the mean of
    so many calls. ``after`` is called between samples, outside of their time. Raises TaskFailed
    when the clock goes backwards.
    """
    samples: list[int] = []
    begin = perf_counter_ns()
    turns = itertools.cycle(feeds)
    while True:
        start = perf_counter_ns()
        for feed in itertools.islice(turns, loops):
            call(feed)
        end = perf_counter_ns()
        samples.append(_per_call(end - start, loops))
        if after is not None:
            after()
        spent, taken = end - begin, len(samples)
        if taken >= iterations and spent >= seconds * _NS:
            break
        slow = spent > taken * cap_s * _NS
        enough = taken >= (min(least, MIN_SLOW) if slow else least)
        if (enough and spent >= cap_s * _NS) or taken >= MAX_SAMPLES:
            break
    return tuple(samples)


def loops_for(samples: Sequence[int]) -> int:
    """How many calls one sample must hold, from the durations of single calls."""
    pace = max(1.0, statistics.median(samples))
    return 1 if pace >= SHORTEST_NS else math.ceil(LEAST_SAMPLE_NS / pace)


@contextmanager
def without_gc() -> Iterator[None]:
    """Keep the collector from running inside a timed loop; everything alive is set aside first."""
    was_on = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()


def _per_call(elapsed: int, loops: int) -> int:
    """Nanoseconds a call, at least one."""
    if elapsed < 0:
        raise TaskFailed(
            f"The clock of this machine went back by {-elapsed} ns between two looks.",
            how=Reason.INTERNAL,
            hint="Nothing can be timed with it. On a virtual machine, look at its clock source "
            "(/sys/devices/system/clocksource), then measure again.",
        )
    return max(1, round(elapsed / loops))
