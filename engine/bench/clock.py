"""Loops under a monotonic clock, with the garbage collector out of the way. Nanoseconds."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter_ns

from engine.types import Feed

MAX_SAMPLES = 10_000
"""A block never keeps more: a model of some microseconds would fill the report otherwise."""

MIN_CAPPED = 5
"""What a model of seconds an inference still gets when its time is up."""

_NS = 1_000_000_000


def timed_calls(
    call: Callable[[Feed], object],
    feeds: tuple[Feed, ...],
    *,
    iterations: int,
    seconds: float,
    cap_s: float,
) -> tuple[int, ...]:
    """Call with the feeds in turn until ``iterations`` calls and ``seconds`` have both passed.

    Stops at ``cap_s`` seconds once there are ``MIN_CAPPED`` samples, and at ``MAX_SAMPLES``.
    """
    samples: list[int] = []
    begin = perf_counter_ns()
    for feed in itertools.cycle(feeds):
        start = perf_counter_ns()
        call(feed)
        end = perf_counter_ns()
        samples.append(end - start)
        spent, taken = end - begin, len(samples)
        if taken >= iterations and spent >= seconds * _NS:
            break
        if (taken >= MIN_CAPPED and spent >= cap_s * _NS) or taken >= MAX_SAMPLES:
            break
    return tuple(samples)


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
