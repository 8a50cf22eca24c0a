"""What the blocks of two variants say of each other, and whether enough has been run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median

import numpy as np

from engine.bench import paired, stats
from engine.bench.model import Block, Measurement, MeasurePlan, Variant
from engine.bench.stats import Ratio

SETTLED_SHARE = 0.02
"""Half an interval of a median, as a share of it: below, a variant is settled."""


def kept(blocks: Iterable[Block], variant: str) -> tuple[Block, ...]:
    """The variant's blocks that count, by round."""
    counting = (b for b in blocks if b.variant == variant and b.discarded is None)
    return tuple(sorted(counting, key=lambda block: block.round))


def ratio_of(
    blocks: Sequence[Block], first: str, second: str, *, delta: float, level: float = stats.LEVEL
) -> Ratio | None:
    """How many times as fast the second variant is, over the rounds both ran in."""
    return stats.ratio(*_medians(blocks, first, second), delta=delta, level=level)


def baseline_of(
    variant: Variant, variants: Iterable[Variant], artifact_id: str | None = None
) -> Variant | None:
    """What a variant is compared with, as it ran with the same batch and threads.

    The original, or the artifact of that id. None for the baseline itself, and where it did not
    run like that.
    """
    if _is_baseline(variant, artifact_id) or variant.control_of:
        return None
    same = (
        other
        for other in variants
        if _is_baseline(other, artifact_id)
        and (other.batch, other.threads, other.pinned)
        == (variant.batch, variant.threads, variant.pinned)
    )
    return next(same, None)


def _is_baseline(variant: Variant, artifact_id: str | None) -> bool:
    if artifact_id is None:
        return variant.is_original
    return variant.artifact_id == artifact_id and not variant.control_of


def control_ratio(plan: MeasurePlan, blocks: Sequence[Block]) -> Ratio | None:
    """The original against its own control (A/A), where there was one."""
    for variant in plan.variants:
        if variant.control_of:
            return ratio_of(blocks, variant.control_of, variant.key, delta=plan.preset.delta)
    return None


def floor_share(found: Ratio) -> float:
    """Half the interval of an A/A ratio, as a share: what chance alone makes of no difference."""
    return math.expm1(math.log(found.high / found.low) / 2)


def delta_of(measurement: Measurement) -> float:
    """The smallest share called a difference: the preset's, or twice the noise floor."""
    own = control_ratio(measurement.plan, measurement.blocks)
    if own is not None:
        return delta_over(measurement.plan, floor_share(own))
    return delta_over(measurement.plan, measurement.floor.share if measurement.floor else None)


def delta_over(plan: MeasurePlan, floor: float | None) -> float:
    """The preset's smallest difference, or twice a noise floor where that is more."""
    return max(plan.preset.delta, 2 * (floor or 0.0))


def level_of(measurement: Measurement) -> float:
    """The confidence that verdicts are drawn with: higher where it stopped at a checkpoint."""
    return stats.LEVEL if measurement.stopped_at is None else stats.INTERIM_LEVEL


def settled(
    plan: MeasurePlan, variants: Sequence[Variant], blocks: Sequence[Block], delta: float
) -> bool:
    """Whether another round could change nothing: looked at with 99 % confidence.

    Every median is known within 2 %, and every ratio lies inside the band of equivalence or
    outside of it, whole.
    """
    for variant in variants:
        samples = [np.array(b.samples_ns, dtype=float) for b in kept(blocks, variant.key)]
        found = stats.percentile(samples, 0.5, level=stats.INTERIM_LEVEL)
        if found.value is None or found.low is None or found.high is None:
            return False
        if (found.high - found.low) / 2 > SETTLED_SHARE * found.value:
            return False
    pairs = ((baseline_of(v, variants), v) for v in variants)
    return all(_clear(blocks, base.key, v.key, delta) for base, v in pairs if base is not None)


def _clear(blocks: Sequence[Block], first: str, second: str, delta: float) -> bool:
    """Whether the whole interval lies on one side of either bound of the band."""
    one, other = _medians(blocks, first, second)
    if len(one) < 2:
        return False
    logs = (np.log(one) - np.log(other)).tolist()
    low, high = paired.interval(logs, stats.INTERIM_LEVEL)
    band = math.log1p(delta)
    return low > band or high < -band or (-band <= low and high <= band)


def _medians(blocks: Sequence[Block], first: str, second: str) -> tuple[list[float], list[float]]:
    """The medians of two variants' blocks in the rounds that both ran in, in ns."""
    of_first = {b.round: float(median(b.samples_ns)) for b in kept(blocks, first)}
    of_second = {b.round: float(median(b.samples_ns)) for b in kept(blocks, second)}
    both = sorted(of_first.keys() & of_second.keys())
    return [of_first[r] for r in both], [of_second[r] for r in both]
