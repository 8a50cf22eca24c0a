"""Statistics of raw samples: everything seeded, everything with an interval or a reason.

Samples of one process resemble each other more than those of two, so that intervals resample
whole processes first. Durations are in whatever unit goes in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from engine import student
from engine.bench import paired

RESAMPLES = 10_000
LEVEL = 0.95
INTERIM_LEVEL = 0.99
"""Of looks before the last one: whoever looks often sees chance more often."""

FEW = 5
"""Processes below which nothing is resampled: of three there is not enough to draw from."""

UNDECIDED = "not decided"
"""The verdict where a variant got noise grade D, whatever its interval says."""

DELTA = 0.03
"""Differences below 3 % are not called faster or slower."""

FLOORS = {0.5: 11, 0.9: 64, 0.95: 130, 0.99: 662}
"""Samples a percentile needs before it is printed (99 % confidence with one exceedance)."""

_SEED = 20240
_GRADES = ((0.02, "A"), (0.05, "B"), (0.10, "C"))


@dataclass(frozen=True, slots=True)
class Percentile:
    """A percentile with its interval, or the reason why there is none."""

    value: float | None
    low: float | None
    high: float | None
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as fast: above 1 the second is faster than the first.

    ``verdict`` is one of ``faster``, ``slower``, ``equivalent``, ``small but real``,
    ``inconclusive`` and ``UNDECIDED``, for differences from ``delta`` on; ``rounds_needed``
    estimates, for inconclusive ones, how many would settle it. ``p`` is two-sided; ``p_adjusted``
    counts how many were compared.
    """

    value: float
    low: float
    high: float
    rounds: int
    verdict: str
    rounds_needed: int | None = None
    delta: float = DELTA
    p: float = 1.0
    p_adjusted: float = 1.0


def percentile(blocks: Sequence[np.ndarray], share: float, *, level: float = LEVEL) -> Percentile:
    """A percentile of all samples, with a bootstrap interval over processes and samples.

    Of fewer than ``FEW`` processes the interval is Student's t on the logs of their percentiles.

    The distribution inside a resample is not drawn but computed: its percentile is at most x
    exactly when enough of its values are, and their number is a sum of binomials over the drawn
    processes, taken as normal. That costs milliseconds however many samples there are.
    """
    pooled = np.sort(np.concatenate(blocks)) if blocks else np.empty(0)
    floor = FLOORS[share]
    if len(pooled) < floor:
        return Percentile(None, None, None, f"n too small (n = {len(pooled)}, needs {floor})")
    value = float(np.quantile(pooled, share))
    if len(blocks) == 1:
        return Percentile(value, None, None, "one process: no interval")
    if len(blocks) < FEW:
        spread = _of_few([float(np.quantile(block, share)) for block in blocks], level)
        return Percentile(value, value / spread, value * spread)
    drawn, luck = _draws(len(blocks))
    ordered = [np.sort(block) for block in blocks]
    sizes = np.array([len(block) for block in blocks], dtype=float)
    need = share * (drawn @ sizes)

    def reached(x: float) -> float:
        """The share of resamples whose percentile is at most x."""
        below = np.array([np.searchsorted(block, x, side="right") for block in ordered])
        spread = np.sqrt(drawn @ (below * (1 - below / sizes)))
        return float(np.mean(drawn @ below + luck * spread >= need))

    tail = _tail(len(blocks), level)
    low, high = _first(pooled, reached, tail), _first(pooled, reached, 1 - tail)
    return Percentile(value, min(low, value), max(high, value))


def _of_few(values: Sequence[float], level: float) -> float:
    """The factor by which the middle of some positive values may be off."""
    logs = np.log(np.maximum(values, np.finfo(float).tiny))
    error = float(np.std(logs, ddof=1)) / math.sqrt(len(logs))
    return math.exp(student.quantile(level, len(logs) - 1) * error)


def middle(values: Sequence[float]) -> Percentile:
    """The middle of one value a process, on logs, with its interval; none of a single one.

    Values that are not above 0 count as none.
    """
    logs = [math.log(value) for value in values if value > 0]
    if not logs:
        return Percentile(None, None, None, "nothing was answered")
    value = math.exp(paired.middle(logs))
    if len(logs) == 1:
        return Percentile(value, None, None, "one of them: no interval")
    low, high = paired.interval(logs, LEVEL)
    return Percentile(value, min(value, math.exp(low)), max(value, math.exp(high)))


def ratio(
    first: Sequence[float],
    second: Sequence[float],
    *,
    delta: float = DELTA,
    level: float = LEVEL,
) -> Ratio | None:
    """The second's speed over the first's, from the block medians of the same rounds.

    The middle of the per-round log ratios with its 95 % interval (``engine.bench.paired``); None
    without two rounds. Judged at ``level``, for this pair by itself.
    """
    if len(first) != len(second):
        raise ValueError("ratios need the same rounds of both variants")
    if len(first) < 2:
        return None
    logs = (np.log(np.asarray(first, float)) - np.log(np.asarray(second, float))).tolist()
    low, high = paired.interval(logs, LEVEL)
    middle, p = paired.middle(logs), paired.p_value(logs)
    found = Ratio(
        value=math.exp(middle),
        low=math.exp(min(low, middle)),
        high=math.exp(max(high, middle)),
        rounds=len(logs),
        verdict=judge(middle, *paired.interval(logs, level), delta),
        delta=delta,
        p=p,
        p_adjusted=p,
    )
    return _with_needed(found)


def adjusted(found: Sequence[Ratio], *, level: float = LEVEL) -> tuple[Ratio, ...]:
    """The same ratios, judged together: a difference must survive Holm's adjustment of its p.

    Holm, Scandinavian Journal of Statistics 6 (1979) 65-70. What does not is inconclusive.
    """
    order = sorted(range(len(found)), key=lambda place: found[place].p)
    held = list(found)
    highest = 0.0
    for step, place in enumerate(order):
        one = found[place]
        highest = max(highest, min(1.0, one.p * (len(found) - step)))
        verdict = one.verdict
        if verdict in ("faster", "slower", "small but real") and highest > 1 - level:
            band = math.log1p(one.delta)
            inside = -band <= math.log(one.low) and math.log(one.high) <= band
            verdict = "equivalent" if inside else "inconclusive"
        strict = 1 - (1 - level) / (len(found) - step)
        held[place] = _with_needed(replace(one, verdict=verdict, p_adjusted=highest), strict)
    return tuple(held)


def judge(middle: float, low: float, high: float, delta: float = DELTA) -> str:
    """The word for a log ratio and its interval."""
    band = math.log1p(delta)
    if low > 0 or high < 0:
        if abs(middle) >= band:
            return "faster" if middle > 0 else "slower"
        return "small but real"
    return "equivalent" if -band <= low and high <= band else "inconclusive"


def mean(values: Sequence[float], *, level: float = LEVEL) -> tuple[float, float, float]:
    """(mean, low, high) of one value a process, by Student's t; with one there is no interval.

    The ends are then the value itself.
    """
    middle = float(np.mean(values))
    if len(values) < 2:
        return middle, middle, middle
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    half = student.quantile(level, len(values) - 1) * error
    return middle, middle - half, middle + half


def spread_within(blocks: Sequence[np.ndarray]) -> float | None:
    """The typical coefficient of variation inside one process."""
    shares = [float(np.std(b, ddof=1) / np.mean(b)) for b in blocks if len(b) > 1]
    return float(np.median(shares)) if shares else None


def spread_between(blocks: Sequence[np.ndarray]) -> float | None:
    """The coefficient of variation of the processes' medians."""
    if len(blocks) < 2:
        return None
    medians = np.array([np.median(block) for block in blocks])
    return float(np.std(medians, ddof=1) / np.mean(medians))


def grade(
    blocks: Sequence[np.ndarray], *, discarded: int, disturbed: bool, gate_failed: bool = False
) -> str:
    """How quiet it was, A to D, from the spread between processes.

    A needs a measurement without discarded rounds; a round kept in spite of outside evidence, or a
    machine that was not at rest before, allows C at best; a tail of twice the median (p95) is D.
    """
    between = spread_between(blocks)
    if between is None:
        return "D"
    pooled = np.concatenate(blocks)
    if len(pooled) >= FLOORS[0.95] and np.quantile(pooled, 0.95) > 2 * np.median(pooled):
        return "D"
    found = next((letter for limit, letter in _GRADES if between <= limit), "D")
    if disturbed or gate_failed:
        return max(found, "C")
    return max(found, "B") if discarded else found


def ecdf(samples: np.ndarray, points: int = 120) -> tuple[tuple[float, float], ...]:
    """The empirical distribution at no more than ``points`` places: (value, share at most it)."""
    ordered = np.sort(samples)
    count = len(ordered)
    ranks = np.unique(np.linspace(1, count, min(points, count)).round().astype(int))
    return tuple((float(ordered[rank - 1]), rank / count) for rank in ranks)


@cache
def _draws(processes: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each process is drawn in each resample, and the luck inside the processes.

    One process fewer is drawn than there are: that makes up for the narrowness of a bootstrap
    over few.
    """
    random = np.random.default_rng(_SEED)
    drawn = random.multinomial(
        processes - 1, np.full(processes, 1 / processes), size=RESAMPLES
    ).astype(float)
    return drawn, random.standard_normal(RESAMPLES)


def _tail(processes: int, level: float) -> float:
    """What to leave out at either end of the resamples.

    Less than it says where processes are few, as Student's t is wider than the normal distribution
    (Hesterberg, The American Statistician 69 (2015) 371-386, section 5.3).
    """
    return 0.5 * math.erfc(student.quantile(level, processes - 1) / math.sqrt(2))


def _first(pooled: np.ndarray, reached: Callable[[float], float], share: float) -> float:
    """The smallest sample that at least ``share`` of the resamples do not exceed."""
    low, high = 0, len(pooled) - 1
    while low < high:
        middle = (low + high) // 2
        if reached(float(pooled[middle])) >= share:
            high = middle
        else:
            low = middle + 1
    return float(pooled[low])


def _with_needed(found: Ratio, level: float = LEVEL) -> Ratio:
    """``level``: the confidence a difference has to have, more where several are judged."""
    if found.verdict != "inconclusive":
        return replace(found, rounds_needed=None)
    middle, half = math.log(found.value), math.log(found.high / found.low) / 2
    half *= student.quantile(level, found.rounds - 1) / student.quantile(LEVEL, found.rounds - 1)
    wanted = max(abs(middle), math.log1p(found.delta) - abs(middle), 0.005)
    needed = math.ceil(found.rounds * (half / wanted) ** 2)
    return replace(found, rounds_needed=max(found.rounds + 1, needed))
