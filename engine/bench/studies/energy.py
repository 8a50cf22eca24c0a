"""Energy: joules an inference, by the machine's own counters; where it has none, nothing."""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping, Sequence
from time import monotonic_ns
from typing import Any

from engine.bench import power
from engine.bench.clock import timed_calls, without_gc
from engine.bench.environment import Watch
from engine.bench.model import Preset, Variant
from engine.bench.observations import EnergyLoad, Reading
from engine.bench.power import Counter, Log, NoEnergy
from engine.bench.studies import Bench, Study
from engine.bench.subject import subject_of
from engine.jobs.protocol import Context, Limits
from engine.records import dump, parse

STUDY = Study(
    "energy",
    "Energy",
    "Joules an inference, with the idle machine's share and without, where this machine counts "
    "them (RAPL, NVML). Three times 40 seconds a variant.",
)
PROCESSES = 3
IDLE_S, LOAD_S = 10.0, 30.0
_WALL_S = 600.0


def run(bench: Bench) -> tuple[EnergyLoad, ...]:
    """The machine at rest, then one process under steady load; three times, in turn.

    Counters are read here and not in the worker: they tell of the whole machine, which is none of
    a stranger's model's business.
    """
    try:
        read = power.counters()
    except NoEnergy as error:
        for variant in bench.variants:
            bench.leave_out(variant, f"Not available: {error}.")
        return ()
    found = []
    for process in range(PROCESSES):
        for variant in bench.variants[:: -1 if process % 2 else 1]:
            load = _one(bench, variant, read)
            if load is not None:
                found.append(load)
    return tuple(found)


def _one(bench: Bench, variant: Variant, read: Sequence[Counter]) -> EnergyLoad | None:
    try:
        with Log(read) as log:
            time.sleep(IDLE_S)
            rested = monotonic_ns()
            asked = {"load_s": LOAD_S, "preset": dump(bench.plan.preset)}
            answer = bench.observe(variant, asked, Limits(wall_s=_WALL_S + LOAD_S))
    except OSError as error:
        bench.leave_out(variant, f"Not available: {error}.")
        return None
    if answer is None:
        return None
    begin, end = answer["begin_ns"], answer["end_ns"]
    return EnergyLoad(
        variant=variant.key,
        counters=tuple(counter.name for counter in read),
        inferences=answer["inferences"],
        load_ns=end - begin,
        idle=_since_first(log, log.readings[0][0], rested),
        load=_since_first(log, begin, end),
        others_cpus=answer["others_cpus"],
    )


def _since_first(log: Log, begin_ns: int, end_ns: int) -> tuple[Reading, ...]:
    start = log.readings[0][0]
    return tuple(Reading(at - start, risen) for at, risen in log.between(begin_ns, end_ns))


def observe(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """How many inferences were made from when to when, by the clock all processes share."""
    subject, preset = subject_of(request), parse(Preset, request["preset"])
    importlib.import_module(subject.import_module)
    with subject.open_runner() as runner, without_gc():
        timed_calls(
            runner.infer,
            subject.feeds,
            iterations=preset.warmup_iterations,
            seconds=preset.warmup_s,
            cap_s=preset.cap_s,
            least=1,
        )
        context.progress(f"{request['label']}: {request['load_s']:g} s under load")
        watch, inferences, begin = Watch(), 0, monotonic_ns()
        end, until = begin, begin + int(request["load_s"] * 1e9)
        while end <= until:
            runner.infer(subject.feeds[inferences % len(subject.feeds)])
            inferences += 1
            end = monotonic_ns()
    return {
        "inferences": inferences,
        "begin_ns": begin,
        "end_ns": end,
        "others_cpus": watch.since().others_cpus,
    }
