"""One block: what happens inside a fresh worker process."""

from __future__ import annotations

import importlib
import os
import resource
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import perf_counter, process_time

import numpy as np

from engine import kernel, processor
from engine.bench import clock
from engine.bench.canary import canary_ns
from engine.bench.clock import loops_for, timed_calls, without_gc
from engine.bench.environment import Watch, load1
from engine.bench.gpu import GpuWatch
from engine.bench.memory import resident
from engine.bench.model import Block, GpuUse, Preset
from engine.errors import InvalidModel
from engine.feeds import under_names
from engine.types import Feed, Runner, Signature

FEEDS = 4
_FEEDS_BYTES = 64 * 1024**2
_WARM = 1000
"""Calls between two looks at the clock while a model of microseconds is warmed on."""

Opened = Callable[[], AbstractContextManager[Runner]]
"""Opens the runner when called, so that loading falls inside the clock."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a worker measures: the module to import, how to open the runner, what to feed it.

    ``on_gpu``: it runs on a GPU, whose driver is asked, too.
    """

    variant: str
    import_module: str
    open_runner: Opened
    feeds: tuple[Feed, ...]
    on_gpu: bool = False


def time_block(subject: Subject, preset: Preset, round_index: int) -> Block:
    """Import → load → first answer → warm-up → samples, each timed on its own.

    Raises InvalidModel when it answers with NaN or infinity where its first answer had none.
    """
    gpu = GpuWatch(subject.on_gpu)
    watch = Watch()
    canary_before = canary_ns()
    start = perf_counter()
    importlib.import_module(subject.import_module)
    imported = perf_counter()
    with subject.open_runner() as runner:
        loaded = perf_counter()
        first = runner.infer(subject.feeds[0])
        answered = perf_counter()
        odd = _odd_values(first)
        with without_gc():
            run = _run(runner, subject, preset, gpu)
        _check_still_well(odd, runner.infer(subject.feeds[0]), run)
    canary_after = canary_ns()
    disturbed = watch.since()
    return Block(
        variant=subject.variant,
        round=round_index,
        import_s=imported - start,
        load_s=loaded - imported,
        first_s=answered - loaded,
        warmup_ns=run.warmup,
        samples_ns=run.samples,
        cpu_s=run.cpu_s,
        involuntary_switches=run.involuntary,
        canary_ns=(canary_before, canary_after),
        steal_share=disturbed.steal_share,
        psi_share=disturbed.psi_share,
        load1=load1(),
        calls_per_sample=run.loops,
        others_cpus=disturbed.others_cpus,
        throttled=disturbed.throttled,
        voluntary_switches=run.voluntary,
        anon_bytes=run.anon_bytes,
        gpu=run.gpu,
        cpu_mhz=run.cpu_mhz,
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """What the loops of one process gave."""

    warmup: tuple[int, ...]
    samples: tuple[int, ...]
    loops: int
    cpu_s: float
    involuntary: int
    voluntary: int
    anon_bytes: tuple[int, int]
    gpu: GpuUse | None
    cpu_mhz: float | None


def _run(runner: Runner, subject: Subject, preset: Preset, gpu: GpuWatch) -> _Run:
    """Warm up, then take the samples; calls too short for the clock in loops."""
    warmup = timed_calls(
        runner.infer,
        subject.feeds,
        iterations=preset.warmup_iterations,
        seconds=preset.warmup_s,
        cap_s=preset.cap_s,
        least=1,
    )
    loops = loops_for(warmup)
    rest_s = preset.warmup_s - sum(warmup) / 1e9
    if len(warmup) >= clock.MAX_SAMPLES and rest_s > 0:  # too quick to be warm by then
        timed_calls(
            runner.infer, subject.feeds, iterations=1, seconds=rest_s, cap_s=rest_s, loops=_WARM
        )
    gpu.look()
    before, anon = _used(), resident().anon_bytes
    samples = timed_calls(
        runner.infer,
        subject.feeds,
        iterations=preset.iterations,
        seconds=preset.measure_s,
        cap_s=preset.cap_s,
        loops=loops,
        after=gpu.listener(runner),
    )
    mhz = processor.frequency_mhz()
    gpu.look()
    after = _used()
    return _Run(
        warmup=warmup,
        samples=samples,
        loops=loops,
        cpu_s=after.cpu_s - before.cpu_s,
        involuntary=after.involuntary - before.involuntary,
        voluntary=after.voluntary - before.voluntary,
        anon_bytes=(anon, resident().anon_bytes),
        gpu=gpu.use(),
        cpu_mhz=mhz,
    )


@dataclass(frozen=True, slots=True)
class _Used:
    """What this process and those it started have used so far."""

    cpu_s: float
    involuntary: int
    voluntary: int


def _used() -> _Used:
    own, times = resource.getrusage(resource.RUSAGE_SELF), os.times()
    tree = kernel.taken(os.getpid()).ticks / os.sysconf("SC_CLK_TCK")
    started = max(0.0, tree - times.user - times.system)
    return _Used(process_time() + started, own.ru_nivcsw, own.ru_nvcsw)


def _odd_values(answer: Mapping[str, np.ndarray]) -> int:
    """How many values of an answer are NaN or infinite."""
    return sum(
        int(array.size - np.count_nonzero(np.isfinite(array)))
        for array in answer.values()
        if array.dtype.kind == "f"
    )


def _check_still_well(odd: int, last: Mapping[str, np.ndarray], run: _Run) -> None:
    """The same input gives finite values still, if it did at first."""
    found = _odd_values(last)
    if found > odd:
        calls = 1 + len(run.warmup) + len(run.samples) * run.loops
        raise InvalidModel(
            f"After {calls} inferences it answered with NaN or infinity ({found} values) to an "
            "input that it had answered well at first.",
            hint="It keeps something between inferences that goes wrong: its times mean nothing.",
        )


def make_feeds(
    original: Signature,
    names: tuple[str, ...],
    make: Callable[[Signature, int], Feed],
    *,
    seed: int,
    most: int = FEEDS,
) -> tuple[Feed, ...]:
    """Distinct seeded inputs, the same bytes for every variant, under the variant's own names.

    ``make(signature, seed)`` gives one set. Fewer are made where they are large.
    """
    first = under_names(make(original, seed), names)
    size = max(1, sum(array.nbytes for array in first.values()))
    count = max(1, min(most, _FEEDS_BYTES // size))
    more = (under_names(make(original, seed + step), names) for step in range(1, count))
    return (first, *more)
