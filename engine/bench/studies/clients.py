"""Load: how many requests a second a model answers at most, and how long they wait below that."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Any

from engine.bench import sweep
from engine.bench.clock import timed_calls, without_gc
from engine.bench.load import WINDOWS, Call, Load, MonotonicClock, arrivals, check_same, rates
from engine.bench.model import Preset, Variant
from engine.bench.observations import LoadRun
from engine.bench.studies import Bench, Study
from engine.bench.subject import subject_of
from engine.jobs.protocol import Context
from engine.records import dump, parse
from engine.registry import format_named
from engine.types import Runner

MOST = 32
SHARES = (0.5, 0.7, 0.9)
LEAD = 0.25
"""Of a window, before it and not counted: caches and queues fill."""

SHORTEST_S, LONGEST_S = 0.5, 8.0
REQUESTS, MOST_REQUESTS = 60, 3000
"""In a window, as far as its shortest and longest time allow."""

STUDY = Study(
    "clients",
    "Load",
    f"Clients that ask at once, 1, 2, 4 … {sweep.RULE}: the capacity. Then requests that arrive at "
    "random (Poisson), at 50, 70 and 90 % of it. A process each, of 4 to 6 seconds for a small "
    "model and up to half a minute for a slow one: 1 to 3 minutes a variant.",
)


def run(bench: Bench) -> tuple[LoadRun, ...]:
    """The closed loop of every variant to its capacity, then the open one below it."""
    variants = sweep.one_batch(bench.variants)
    closed: dict[str, list[LoadRun]] = {variant.key: [] for variant in variants}
    going, clients = variants, 1
    while going and clients <= MOST:
        for variant in going:
            closed[variant.key] += _observed(bench, variant, {"clients": clients})
        going = tuple(v for v in going if _goes_on(closed[v.key], clients))
        clients *= 2
    for variant in variants:
        if not any(sum(rates(one)) for one in closed[variant.key]):
            bench.leave_out(variant, f"No request was answered in a window of {LONGEST_S:g} s.")
    opened: list[LoadRun] = []
    left = {variant.key for variant in bench.variants}
    for share in SHARES:
        for variant in (one for one in variants if one.key in left):
            opened += _observed(bench, variant, _below(closed[variant.key], share))
    return (*(one for found in closed.values() for one in found), *opened)


def observe(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """``{"run": LoadRun}``: warm-up, then the windows one after the other."""
    rate, clients = request.get("rate"), request["clients"]
    asked = f"{rate:.4g} requests a second" if rate else f"{clients} at once"
    context.progress(f"{request['label']}: {asked}")
    preset = parse(Preset, request["preset"])
    subject = subject_of(request)
    importlib.import_module(subject.import_module)
    concurrent = format_named(request["artifact"]["format"]).concurrent
    with ExitStack() as stack:
        runner = stack.enter_context(subject.open_runner())
        call = stack.enter_context(_one_at_a_time(runner, concurrent))
        warmup = timed_calls(
            call,
            subject.feeds,
            iterations=preset.warmup_iterations,
            seconds=preset.warmup_s,
            cap_s=preset.cap_s,
            least=1,
        )
        alone = [call(feed) for feed in subject.feeds]
        window_s = _window_s(1 / rate if rate else median(warmup) / 1e9)
        lead_s = LEAD * window_s
        due = arrivals(rate, lead_s + window_s, request["seed"]) if rate else ()
        threads = stack.enter_context(ThreadPoolExecutor(clients))
        load = Load(call, subject.feeds, clients, MonotonicClock(), {}, threads)
        with without_gc():
            windows = tuple(
                load.opened(due) if rate else load.closed(lead_s, window_s) for _ in range(WINDOWS)
            )
        if clients > 1:
            check_same(alone, load.answers, clients)
    found = LoadRun(
        variant=subject.variant,
        clients=clients,
        rate=rate,
        share=request.get("share"),
        queued=not concurrent,
        lead_s=lead_s,
        window_s=window_s,
        windows=windows,
    )
    return {"run": dump(found)}


@contextmanager
def _one_at_a_time(runner: Runner, concurrent: bool) -> Iterator[Call]:
    """The runner itself where threads may share it, else a queue in front of it, first come first.

    The queue's one thread is then the only one that ever calls the model.
    """
    if concurrent:
        yield runner.infer
        return
    with ThreadPoolExecutor(1) as front:
        yield lambda feed: front.submit(runner.infer, feed).result()


def _window_s(each_s: float) -> float:
    """Seconds of a window, from what a request takes or how far apart they come."""
    return min(LONGEST_S, max(SHORTEST_S, REQUESTS * each_s), MOST_REQUESTS * each_s)


def _observed(bench: Bench, variant: Variant, load: Mapping[str, Any]) -> list[LoadRun]:
    found = bench.observe(variant, {"preset": dump(bench.plan.preset), **load})
    return [] if found is None else [parse(LoadRun, found["run"])]


def _goes_on(found: list[LoadRun], clients: int) -> bool:
    """Whether the last process came to its end, and more clients may still give more."""
    if not found or found[-1].clients != clients:
        return False
    return not sweep.saturated([median(rates(one)) for one in found])


def _below(found: list[LoadRun], share: float) -> dict[str, Any]:
    """A load of so much of the capacity, and as many clients as the capacity needs."""
    reached = {one.clients: median(rates(one)) for one in found}
    return {
        "clients": sweep.enough(reached),
        "rate": share * max(reached.values()),
        "share": share,
    }
