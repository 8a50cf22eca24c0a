"""Batch size: how much more comes out of a model that is given several rows at once."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from engine.bench import room, sweep
from engine.bench.evidence import outside_evidence
from engine.bench.measure import time_block
from engine.bench.memory import reset_peak, resident
from engine.bench.model import Preset, Variant
from engine.bench.observations import BatchPoint, BatchSweep
from engine.bench.studies import Bench, Study
from engine.bench.subject import subject_of
from engine.errors import EngineError, Reason
from engine.jobs import allowance
from engine.jobs.protocol import Context
from engine.records import dump, parse
from engine.registry import format_named
from engine.settings import GIB

TURNS = 3
MOST = 1024
LONGEST_CALL_S = 10.0

STUDY = Study(
    "batches",
    "Batch size",
    f"Throughput, latency and memory at batch sizes 1, 2, 4 … {sweep.RULE}. {TURNS} processes a "
    "size, of 3 to 6 seconds each for a small model: 1 to 3 minutes a variant.",
    fits=room.no_other_batch,
)


def run(bench: Bench) -> tuple[BatchSweep, ...]:
    """Sizes upwards until each variant has had enough, then the same downwards, and up again.

    What drifts meanwhile then favours neither the small nor the large; variants take turns at
    every size.
    """
    sweeps = [_Sweep(bench, variant) for variant in sweep.one_batch(bench.variants)]
    size = 1
    while any(not one.stopped for one in sweeps):
        for one in sweeps:
            if not one.stopped:
                one.grow(size)
        size *= 2
    for turn in range(1, TURNS):
        sizes = [2**power for power in range(size.bit_length())]
        for again in sizes if turn % 2 == 0 else reversed(sizes):
            for one in sweeps:
                if again in one.pace:
                    one.take(again, turn)
    return tuple(
        BatchSweep(one.variant.key, tuple(one.points), one.stopped) for one in sweeps if one.points
    )


def observe(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """``{"point": BatchPoint}``: a block like those of the times, at the batch of the request."""
    context.progress(f"{request['label']}: batch {request['batch']}")
    importlib.import_module(format_named(request["artifact"]["format"]).import_module)
    with room.walled(request["limit_bytes"]):
        subject = subject_of(request)
        reset_peak()
        block = time_block(subject, parse(Preset, request["preset"]), request["turn"])
    point = BatchPoint(
        batch=request["batch"],
        turn=request["turn"],
        samples_ns=block.samples_ns,
        calls_per_sample=block.calls_per_sample,
        peak_bytes=resident().peak_bytes,
        disturbed=outside_evidence((block,)) or "",
    )
    return {"point": dump(point)}


@dataclass(slots=True)
class _Sweep:
    """One variant on its way up. ``pace``: seconds a call by batch, as first seen."""

    bench: Bench
    variant: Variant
    points: list[BatchPoint] = field(default_factory=list)
    pace: dict[int, float] = field(default_factory=dict)
    stopped: str = ""

    def __post_init__(self) -> None:
        why = room.no_other_batch(self.bench.artifacts[self.variant.artifact_id])
        if why is not None:
            self._end(why)

    def grow(self, batch: int) -> None:
        """Take the next size, unless it will not fit or take too long; see whether to go on."""
        free = allowance.memory()
        wanted = room.predicted({point.batch: point.peak_bytes for point in self.points}, batch)
        if wanted is not None and wanted > free:
            self.stopped = (
                f"batch {batch} would take about {wanted / GIB:.1f} GiB of memory, and "
                f"{free / GIB:.1f} GiB are free"
            )
        elif not self.take(batch, 0):
            return
        elif sweep.saturated([size / pace for size, pace in self.pace.items()]):
            self.stopped = "two doublings in a row gave less than 5 % more than the best before"
        elif 2 * batch > MOST:
            self.stopped = f"{MOST} is the largest that this study tries"
        elif 2 * self.pace[batch] > LONGEST_CALL_S:
            self.stopped = f"one call of batch {2 * batch} would take over {LONGEST_CALL_S:g} s"

    def take(self, batch: int, turn: int) -> bool:
        """One process at this size. A failure ends the way up; at the first size, the study."""
        request = {
            "batch": batch,
            "turn": turn,
            "preset": dump(self.bench.plan.preset),
            "limit_bytes": allowance.memory(),
        }
        try:
            found = self.bench.attempt(self.variant, request)
        except EngineError as error:
            if error.reason is Reason.CANCELLED:
                raise
            if not self.points:
                self._end(str(error))
            elif turn == 0:
                self.stopped = f"batch {batch} failed: {error.message}"
            else:
                self.stopped += f"; a later process of batch {batch} failed: {error.message}"
            return False
        point = parse(BatchPoint, found["point"])
        self.points.append(point)
        self.pace.setdefault(batch, median(point.samples_ns) / 1e9)
        return True

    def _end(self, why: str) -> None:
        self.stopped = why
        self.bench.leave_out(self.variant, why)
