"""What is known of a measurement while it runs, small enough to be shown at every tick."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np

from engine.bench import stats
from engine.bench.evidence import gate_failures, outside_evidence
from engine.bench.model import Block, GateReading, MeasurePlan, Variant
from engine.bench.verdicts import kept

_MS = 1e6
_DIGITS = 5


def snapshot(
    plan: MeasurePlan,
    blocks: Sequence[Block],
    gate: Sequence[GateReading],
    rounds: int,
    seconds_left: float,
    to_come: Sequence[str] = (),
) -> dict[str, Any]:
    """Every block so far in the order it ran, each variant's median with its interval, the noise.

    ``to_come``: what is done after the times, in words.
    ``strip`` has one ``[variant's place, median in ms, 1 when discarded]`` a block.
    """
    places = {variant.key: place for place, variant in enumerate(plan.variants)}
    restless = gate_failures(gate[-1]) if gate else ()
    rows = [_row(variant, blocks, restless=bool(restless)) for variant in plan.variants]
    return {
        "live": {
            "round": max((block.round for block in blocks), default=-1) + 1,
            "rounds": rounds,
            "seconds_left": round(seconds_left),
            "to_come": list(to_come),
            "restless": list(restless),
            "noise": max((row["grade"] for row in rows), default=""),
            "variants": rows,
            "strip": [
                [places[b.variant], _short(median(b.samples_ns) / _MS), int(bool(b.discarded))]
                for b in blocks
            ],
        }
    }


def weighing(done: int, total: int, seconds_left: float, to_come: Sequence[str]) -> dict[str, Any]:
    """How far the memory passes are, and what is done after them, in words."""
    return {
        "weighing": {
            "done": done,
            "total": total,
            "seconds_left": round(seconds_left),
            "to_come": list(to_come),
        }
    }


def _row(variant: Variant, blocks: Sequence[Block], *, restless: bool) -> dict[str, Any]:
    own = kept(blocks, variant.key)
    counting = [np.array(b.samples_ns, dtype=float) / _MS for b in own]
    found = stats.percentile(counting, 0.5)
    return {
        "key": variant.key,
        "label": variant.label,
        "batch": variant.batch,
        "threads": variant.threads,
        "processes": len(counting),
        "p50_ms": _short(float(np.median(np.concatenate(counting)))) if counting else None,
        "low_ms": _short(found.low) if found.low is not None else None,
        "high_ms": _short(found.high) if found.high is not None else None,
        "blocks_ms": [_short(float(np.median(block))) for block in counting],
        "grade": stats.grade(
            counting,
            discarded=sum(b.variant == variant.key and bool(b.discarded) for b in blocks),
            disturbed=outside_evidence(own) is not None,
            gate_failed=restless,
        )
        if len(counting) > 2
        else "",
    }


def _short(value: float) -> float:
    """With as many digits as anybody reads."""
    return float(f"{value:.{_DIGITS}g}")
