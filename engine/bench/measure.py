"""One block and one memory pass: what happens inside a fresh worker process."""

from __future__ import annotations

import importlib
import resource
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import perf_counter, process_time

from engine.bench.canary import canary_ns
from engine.bench.clock import timed_calls, without_gc
from engine.bench.environment import Watch, load1
from engine.bench.memory import reset_peak, resident
from engine.bench.model import Block, MemoryPass, Preset
from engine.feeds import under_names
from engine.types import Feed, Runner, Signature

FEEDS = 4
_FEEDS_BYTES = 64 * 1024**2
_SETTLE_CALLS = 10

Opened = Callable[[], AbstractContextManager[Runner]]
"""Opens the runner when called, so that loading falls inside the clock."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a worker measures: the module to import, how to open the runner, what to feed it."""

    variant: str
    import_module: str
    open_runner: Opened
    feeds: tuple[Feed, ...]


def time_block(subject: Subject, preset: Preset, round_index: int) -> Block:
    """Import → load → first answer → warm-up → samples, each timed on its own."""
    watch = Watch()
    canary_before = canary_ns()
    start = perf_counter()
    importlib.import_module(subject.import_module)
    imported = perf_counter()
    with subject.open_runner() as runner:
        loaded = perf_counter()
        runner.infer(subject.feeds[0])
        answered = perf_counter()
        with without_gc():
            warmup = timed_calls(
                runner.infer,
                subject.feeds,
                iterations=preset.warmup_iterations,
                seconds=preset.warmup_s,
                cap_s=preset.cap_s,
            )
            switches, cpu = _involuntary_switches(), process_time()
            samples = timed_calls(
                runner.infer,
                subject.feeds,
                iterations=preset.iterations,
                seconds=preset.measure_s,
                cap_s=preset.cap_s,
            )
            cpu, switches = process_time() - cpu, _involuntary_switches() - switches
    canary_after = canary_ns()
    disturbed = watch.since()
    return Block(
        variant=subject.variant,
        round=round_index,
        import_s=imported - start,
        load_s=loaded - imported,
        first_s=answered - loaded,
        warmup_ns=warmup,
        samples_ns=samples,
        cpu_s=cpu,
        involuntary_switches=switches,
        canary_ns=(canary_before, canary_after),
        steal_share=disturbed.steal_share,
        psi_share=disturbed.psi_share,
        load1=load1(),
    )


def weigh(subject: Subject, baseline_bytes: int) -> MemoryPass:
    """The kernel's peaks with the model loaded, and while it runs. Never timed."""
    importlib.import_module(subject.import_module)
    with subject.open_runner() as runner:
        loaded = resident().peak_bytes
        reset_peak()
        for call in range(_SETTLE_CALLS):
            runner.infer(subject.feeds[call % len(subject.feeds)])
        after = resident()
    return MemoryPass(
        variant=subject.variant,
        baseline_bytes=baseline_bytes,
        loaded_bytes=loaded,
        peak_bytes=max(loaded, after.peak_bytes),
        resident_anon_bytes=after.anon_bytes,
        resident_file_bytes=after.file_bytes,
    )


def baseline(import_module: str) -> int:
    """The peak in bytes of a process that only imports the framework."""
    importlib.import_module(import_module)
    return resident().peak_bytes


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


def _involuntary_switches() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
