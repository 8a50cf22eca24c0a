"""Load: latency from when a request was due, arrivals by a seed, windows that must agree.

Only the clock is made up, where a figure is to come out to the nanosecond.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pytest

from engine.bench import load
from engine.bench.load import Clock, Load, MonotonicClock, arrivals
from engine.bench.observations import LoadRun, LoadWindow
from engine.errors import InvalidModel
from engine.types import Feed

MS = 1_000_000
FEEDS: tuple[Feed, ...] = ({"x": np.zeros(1)}, {"x": np.ones(1)})


@dataclass
class HandClock:
    """Goes on when it is told to, or when somebody waits."""

    at: int = 10**12

    def now(self) -> int:
        return self.at

    def wait_until(self, due: int) -> None:
        self.at = max(self.at, due)


@contextmanager
def loaded(
    call: Callable[[Feed], dict[str, np.ndarray]], clients: int, clock: Clock
) -> Iterator[Load]:
    with ThreadPoolExecutor(clients) as threads:
        yield Load(call, FEEDS, clients, clock, {}, threads)


def taking(clock: HandClock, *costs_ms: int) -> Callable[[Feed], dict[str, np.ndarray]]:
    """A call that takes so long at each turn, the last of them from then on."""
    left = list(costs_ms)

    def call(feed: Feed) -> dict[str, np.ndarray]:
        clock.at += (left.pop(0) if len(left) > 1 else left[0]) * MS
        return {"y": feed["x"]}

    return call


def test_a_stall_costs_every_request_that_fell_into_it() -> None:
    clock = HandClock()
    due = [at * MS for at in (0, 10, 20, 30, 100)]
    with loaded(taking(clock, 35, 1), 1, clock) as under:
        found = under.opened(due)
    assert found.due_ns == tuple(due)
    # Sent one after the other, the last three of the first four would have seemed to take 1 ms.
    assert found.latency_ns == (35 * MS, 26 * MS, 17 * MS, 8 * MS, 1 * MS)


def test_a_client_asks_again_as_soon_as_it_is_answered() -> None:
    clock = HandClock()
    with loaded(taking(clock, 4), 1, clock) as under:
        found = under.closed(0.010, 0.020)
    assert found.due_ns == tuple(at * MS for at in range(0, 30, 4))
    assert set(found.latency_ns) == {4 * MS}
    assert {place: float(answer["y"][0]) for place, answer in under.answers.items()} == {0: 0, 1: 1}


def test_two_clients_are_in_the_model_together() -> None:
    both = threading.Barrier(2, timeout=30)

    def call(feed: Feed) -> dict[str, np.ndarray]:
        both.wait()  # a model that one of them had to itself would never answer
        return {"y": feed["x"]}

    with loaded(call, 2, MonotonicClock()) as under:
        found = under.opened([0, 0, 0, 0])
    assert len(found.latency_ns) == 4


def test_what_a_client_meets_ends_the_load() -> None:
    def call(feed: Feed) -> dict[str, np.ndarray]:
        raise InvalidModel("It broke.")

    with loaded(call, 2, MonotonicClock()) as under, pytest.raises(InvalidModel, match="It broke"):
        under.closed(0.0, 0.1)


def test_waiting_lasts_until_then_and_not_at_all_for_what_is_past() -> None:
    clock = MonotonicClock()
    due = clock.now() + 5 * MS
    clock.wait_until(due)
    assert clock.now() >= due
    clock.wait_until(clock.now() - 10**15)


def test_arrivals_are_poisson_and_the_same_by_their_seed() -> None:
    found = arrivals(1000.0, 10.0, seed=3)
    assert found == arrivals(1000.0, 10.0, seed=3) != arrivals(1000.0, 10.0, seed=4)
    gaps = np.diff(found) / 1e9
    assert found[0] > 0
    assert found[-1] < 10e9
    assert abs(len(found) - 10_000) < 4 * 100  # four times the deviation of a Poisson count
    assert abs(gaps.std() / gaps.mean() - 1) < 0.05, "exponential: deviation and mean are equal"
    halved = arrivals(500.0, 20.0, seed=3)
    assert np.allclose(np.array(halved) / 2, found, rtol=1e-6, atol=1)


def run_of(*windows: LoadWindow, rate: float | None = None) -> LoadRun:
    return LoadRun("a", 1, rate, None, False, 0.01, 0.1, windows)


def even(latency_ms: int, count: int, start_ms: int = 0) -> LoadWindow:
    """One after the other, without a gap."""
    return LoadWindow(
        tuple((start_ms + place * latency_ms) * MS for place in range(count)),
        (latency_ms * MS,) * count,
    )


def test_only_what_ends_in_the_window_counts_in_a_closed_loop() -> None:
    found = run_of(even(4, 40))  # ends at 4, 8 … 160; the window is 10 to 110
    assert load.rates(found) == (pytest.approx(25 / 0.1),)
    assert [len(window) for window in load.latencies(found)] == [25]


def test_in_an_open_one_what_was_due_in_it_has_its_latency_counted() -> None:
    due = (5 * MS, 20 * MS, 50 * MS, 100 * MS, 111 * MS)
    found = run_of(LoadWindow(due, (6 * MS, MS, MS, 60 * MS, 100 * MS)), rate=30.0)
    assert [list(window) for window in load.latencies(found)] == [[MS, MS, 60 * MS]]
    assert load.rates(found) == (pytest.approx(3 / 0.1),), "answered at 11, 21 and 51 ms"


def test_windows_agree_within_10_percent_or_it_is_unstable() -> None:
    assert load.steady(run_of(even(4, 40), even(4, 40), even(4, 40)))
    unsteady = run_of(even(4, 40), even(5, 40), even(4, 40))
    assert not load.steady(unsteady)
    assert load.spread(unsteady) == pytest.approx(1.25)
    empty = run_of(even(4, 40), LoadWindow((), ()))
    assert load.spread(empty) is None
    assert not load.steady(empty)


def test_answers_computed_beside_others_must_be_the_same() -> None:
    alone = [{"y": np.array([1.0, -8.0, np.nan]), "top": np.array([3])}]
    close = {"y": np.array([1.01, -7.98, np.nan]), "top": np.array([3])}
    load.check_same(alone, {0: close}, 4)
    for wrong in (
        {**close, "y": np.array([1.2, -8.0, np.nan])},
        {**close, "y": np.array([1.0, -8.0, 0.0])},
        {**close, "y": np.array([1.0])},
        {**close, "top": np.array([2])},
    ):
        with pytest.raises(InvalidModel, match="Asked by 4 clients at once"):
            load.check_same(alone, {0: wrong}, 4)


def test_the_record_keeps_every_request() -> None:
    from engine.records import dump, parse

    found = replace(run_of(even(4, 40), rate=5.0), share=0.9)
    assert parse(LoadRun, dump(found)) == found
