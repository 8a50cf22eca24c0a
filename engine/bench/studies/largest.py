"""The largest batch that fits into memory, found without ever taking more than is there."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from engine.bench import room, sweep
from engine.bench.memory import reset_peak, resident
from engine.bench.model import Variant
from engine.bench.observations import BatchTry, LargestBatch
from engine.bench.studies import Bench, Study
from engine.bench.subject import subject_of
from engine.errors import EngineError, Reason
from engine.jobs import allowance
from engine.jobs.protocol import Context, Limits
from engine.registry import format_named
from engine.settings import GIB

MOST = 65_536
LONGEST_S = 20.0
FINENESS = 16
"""The search ends when what fits and what does not are a sixteenth of the former apart."""

STUDY = Study(
    "largest",
    "Largest batch",
    "The largest batch that fits into the memory that is free, by doubling and then by halving "
    "the gap to a sixteenth; what will not fit is seen before it is tried. Some 10 to 25 processes "
    "of 2 to 20 seconds: 1 to 3 minutes a variant.",
    fits=room.no_other_batch,
)


def run(bench: Bench) -> tuple[LargestBatch, ...]:
    """One search a variant; of one that takes no batch at all, the reason is kept."""
    found = []
    for variant in sweep.one_batch(bench.variants):
        why = room.no_other_batch(bench.artifacts[variant.artifact_id])
        if why is not None:
            bench.leave_out(variant, why)
            continue
        search = _Search(bench, variant)
        if search.ended():
            found.append(LargestBatch(variant.key, tuple(search.tries), search.stopped))
        else:
            bench.leave_out(variant, search.stopped)
    return tuple(found)


def observe(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """``{"peak_bytes": …, "seconds": …}``: the inputs are made, and the model answers them twice.

    ``peak_bytes`` is what was resident at most meanwhile, ``seconds`` what the second answer took.
    """
    context.progress(f"{request['label']}: does batch {request['batch']} fit?")
    importlib.import_module(format_named(request["artifact"]["format"]).import_module)
    with room.walled(request["limit_bytes"]):
        subject = subject_of(request, feeds=1)
        with subject.open_runner() as runner:
            reset_peak()
            runner.infer(subject.feeds[0])
            start = perf_counter()
            runner.infer(subject.feeds[0])
            return {"seconds": perf_counter() - start, "peak_bytes": resident().peak_bytes}


@dataclass(slots=True)
class _Search:
    """Doubling until something does not fit, then bisection between that and what does."""

    bench: Bench
    variant: Variant
    tries: list[BatchTry] = field(default_factory=list)
    stopped: str = ""

    def ended(self) -> bool:
        """Whether any batch fits. ``stopped`` then says what is in the way of a larger one."""
        fits, over = sweep.largest(self._fits, MOST, FINENESS)
        if over is None:
            self.stopped = f"{MOST} is the largest that this study tries"
        else:
            self.stopped = next(one.refused for one in self.tries if one.batch == over)
        return fits > 0

    def _fits(self, batch: int) -> bool:
        """Whether it fits: refused where the tries before say that it will not, else tried."""
        limit = allowance.memory()
        known = {one.batch: one.peak_bytes for one in self.tries if one.peak_bytes is not None}
        wanted = room.predicted(known, batch)
        refused = _out_of_reach(batch, wanted, limit) or self._too_slow(batch)
        if refused:
            self.tries.append(BatchTry(batch, limit, wanted, None, None, refused))
            return False
        request = {"batch": batch, "limit_bytes": limit}
        try:
            seen = self.bench.attempt(
                self.variant, request, Limits(wall_s=30 * LONGEST_S, memory_bytes=limit)
            )
        except EngineError as error:
            if error.reason is Reason.CANCELLED:
                raise
            self.tries.append(BatchTry(batch, limit, wanted, None, None, error.message))
            return False
        self.tries.append(BatchTry(batch, limit, wanted, seen["peak_bytes"], seen["seconds"]))
        return True

    def _too_slow(self, batch: int) -> str:
        """Why it would take too long, from the largest that was tried; empty where it would not."""
        done = [one for one in self.tries if one.seconds is not None]
        if not done:
            return ""
        last = max(done, key=lambda one: one.batch)
        expected = (last.seconds or 0.0) * batch / last.batch
        if expected <= LONGEST_S:
            return ""
        return f"one call would take about {expected:.0f} s, and {LONGEST_S:g} s are the most tried"


def _out_of_reach(batch: int, wanted: int | None, limit: int) -> str:
    """Why it will not fit, as foreseen; empty where it may."""
    if wanted is None or wanted <= limit:
        return ""
    return (
        f"batch {batch} would take about {wanted / GIB:.2f} GiB of memory, and "
        f"{limit / GIB:.2f} GiB are free"
    )
