"""Curves over batch sizes and clients: variants by name and colour, points with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.bench import stats
from engine.bench.model import MeasurePlan
from engine.bench.stats import Percentile
from engine.reports.sections.model import Plot, Series
from engine.reports.variants import names_of

MS = 1e6


@dataclass(frozen=True, slots=True)
class Painted:
    """A variant as curves show it: a name unique among those shown, the colour of its artifact."""

    name: str
    colour: int


@dataclass(frozen=True, slots=True)
class Point:
    """One place of a curve: how much came out a second, and how long one took in ms."""

    x: float
    rate: Percentile
    p50: Percentile
    p95: Percentile


Curves = Mapping[str, Sequence[Point]]
"""The points of every variant, by its key."""


def painted(plan: MeasurePlan, keys: Iterable[str]) -> dict[str, Painted]:
    """Those variants in the order of the plan; a batch is named only where these have several."""
    wanted = set(keys)
    shown = [variant for variant in plan.variants if variant.key in wanted]
    artifacts = list(dict.fromkeys(variant.artifact_id for variant in plan.variants))
    names = names_of(shown)
    return {v.key: Painted(names[v.key], artifacts.index(v.artifact_id)) for v in shown}


def point(x: float, rates: Sequence[float], samples_ns: Sequence[np.ndarray]) -> Point:
    """From rates and samples, process by process or window by window."""
    found = [np.asarray(samples, dtype=float) / MS for samples in samples_ns if len(samples)]
    rate = stats.middle(rates)
    return Point(x, rate, stats.percentile(found, 0.5), stats.percentile(found, 0.95))


def plot(
    curves: Curves, names: Mapping[str, Painted], what: str, titles: tuple[str, str], alt: str
) -> tuple[Plot, ...]:
    """One plot of ``rate``, ``p50`` or ``p95``; none where no point has a value."""
    drawn = tuple(
        Series(
            names[key].name,
            names[key].colour,
            tuple(one.x for one, _ in seen),
            tuple(value.value for _, value in seen),
            tuple(value.low for _, value in seen),
            tuple(value.high for _, value in seen),
        )
        for key, points in curves.items()
        if (seen := _seen(points, what))
    )
    return (Plot("curves", *titles, drawn, alt, x_log=True, y_log=True),) if drawn else ()


def _seen(points: Sequence[Point], what: str) -> list[tuple[Point, Percentile]]:
    """The points whose figure of this kind has a value."""
    found = ((one, getattr(one, what)) for one in points)
    return [(one, value) for one, value in found if value.value is not None]
