"""Load on one loaded model: clients that ask again and again, or requests that come when they come.

Latency counts from when a request was due, not from when somebody had time to send it: a stall
then costs every request that fell into it, and not one alone (Tene, "coordinated omission").
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from engine.bench.observations import LoadRun, LoadWindow
from engine.errors import InvalidModel
from engine.types import Feed

WINDOWS = 3
STEADY = 1.10
"""The most by which the largest of the windows may exceed the smallest; beyond, it is unstable."""

_NS = 1_000_000_000
_SAME = 0.01
"""Of an answer's largest value: as far as answers may differ that were computed beside others."""

Answer = Mapping[str, np.ndarray]
Call = Callable[[Feed], Answer]


class Clock(Protocol):
    """Where the time comes from. Nanoseconds."""

    def now(self) -> int: ...

    def wait_until(self, due: int) -> None:
        """Give the processor away until then; not at all where that is past."""
        ...


class MonotonicClock:
    """This machine's own."""

    def now(self) -> int:
        return time.perf_counter_ns()

    def wait_until(self, due: int) -> None:
        left = due - self.now()
        if left > 0:
            time.sleep(left / _NS)


@dataclass(slots=True)
class Load:
    """``clients`` threads that call one model, one call each at a time. Use as a context manager.

    The same threads serve every window: frameworks keep pools for each thread that called them.
    ``answers`` holds the last one to each feed.
    """

    call: Call
    feeds: Sequence[Feed]
    clients: int
    clock: Clock
    answers: dict[int, Answer]
    _threads: ThreadPoolExecutor

    def closed(self, lead_s: float, window_s: float) -> LoadWindow:
        """Every client asks again as soon as it is answered, until the window is over."""
        end = round((lead_s + window_s) * _NS)

        def client(number: int, begin: int) -> list[tuple[int, int]]:
            found: list[tuple[int, int]] = []
            for turn in itertools.count(number):
                due = self.clock.now() - begin
                if due >= end:
                    break
                self._ask(turn)
                found.append((due, self.clock.now() - begin - due))
            return found

        return self._together(client)

    def opened(self, due_ns: Sequence[int]) -> LoadWindow:
        """Each request is taken when it is due, or by the first client that is free after that."""
        numbers = (
            itertools.count()
        )  # its next() is one step of the interpreter: no two get the same

        def client(_: int, begin: int) -> list[tuple[int, int]]:
            found: list[tuple[int, int]] = []
            while (number := next(numbers)) < len(due_ns):
                due = due_ns[number]
                self.clock.wait_until(begin + due)
                self._ask(number)
                found.append((due, self.clock.now() - begin - due))
            return found

        return self._together(client)

    def _ask(self, turn: int) -> None:
        place = turn % len(self.feeds)
        self.answers[place] = self.call(self.feeds[place])

    def _together(self, client: Callable[[int, int], list[tuple[int, int]]]) -> LoadWindow:
        """All clients begin at once, each in a thread of its own; what they saw, by due time."""
        begun: list[int] = []
        gate = threading.Barrier(self.clients, lambda: begun.append(self.clock.now()))

        def run(number: int) -> list[tuple[int, int]]:
            gate.wait()
            return client(number, begun[0])

        running = [self._threads.submit(run, number) for number in range(self.clients)]
        seen = sorted(pair for one in running for pair in one.result())
        return LoadWindow(tuple(due for due, _ in seen), tuple(late for _, late in seen))


def arrivals(rate: float, seconds: float, seed: int) -> tuple[int, ...]:
    """When requests come that know nothing of each other (Poisson), in ns from the begin.

    The same seed gives the same pattern at any rate, only closer or wider.
    """
    drawn = random.Random(seed)
    at, found = drawn.expovariate(rate), []
    while at < seconds:
        found.append(round(at * _NS))
        at += drawn.expovariate(rate)
    return tuple(found)


def check_same(alone: Sequence[Answer], beside: Mapping[int, Answer], clients: int) -> None:
    """Raises InvalidModel where an answer computed beside others is not the one computed alone."""
    for place, answer in beside.items():
        for name, wanted in alone[place].items():
            if not _alike(wanted, answer[name]):
                raise InvalidModel(
                    f"Asked by {clients} clients at once, it answered otherwise than alone "
                    f"(output {name!r}).",
                    hint="It keeps something between calls: let one client call it at a time.",
                )


def rates(run: LoadRun) -> tuple[float, ...]:
    """Requests answered a second, window by window: those whose answer came inside it."""
    return tuple(
        float(np.count_nonzero(_inside(run, due + late))) / run.window_s
        for due, late in map(_arrays, run.windows)
    )


def latencies(run: LoadRun) -> list[np.ndarray]:
    """Latencies in ns of the requests that count, window by window.

    In a closed loop those that were answered in the window, in an open one those that were due.
    """
    return [
        late[_inside(run, due + late if run.rate is None else due)]
        for due, late in map(_arrays, run.windows)
    ]


def spread(run: LoadRun) -> float | None:
    """How many times the smallest of the windows the largest is: of rates, or of median latencies.

    None where a window saw no request, or no answer.
    """
    seen = latencies(run)
    if not all(rates(run)) or not all(len(window) for window in seen):
        return None
    medians = [float(np.median(window)) for window in seen]
    return max(max(found) / min(found) for found in (rates(run), medians))


def steady(run: LoadRun) -> bool:
    """Whether the windows agree within 10 %, in what was answered and in how long it took."""
    found = spread(run)
    return found is not None and found <= STEADY


def _arrays(window: LoadWindow) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(window.due_ns, dtype=float), np.asarray(window.latency_ns, dtype=float)


def _inside(run: LoadRun, at_ns: np.ndarray) -> np.ndarray:
    """Which of these moments lie in what counts of a window."""
    lead = run.lead_s * _NS
    return (at_ns >= lead) & (at_ns < lead + run.window_s * _NS)


def _alike(wanted: np.ndarray, found: np.ndarray) -> bool:
    if wanted.shape != found.shape:
        return False
    if wanted.dtype.kind != "f":
        return bool(np.array_equal(wanted, found))
    reach = float(np.max(np.abs(wanted), initial=0.0, where=np.isfinite(wanted)))
    return bool(np.allclose(found, wanted, rtol=0, atol=_SAME * reach, equal_nan=True))
