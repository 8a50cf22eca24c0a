"""The speed of every variant against a baseline, beside the band in which nothing differs."""

from __future__ import annotations

from dataclasses import dataclass

from engine.bench.stats import Ratio
from engine.reports import words
from engine.reports.variants import VariantFigures

_WIDE, _WIDER, _WIDEST = 1.6, 6.0, 60.0


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One variant: its speed over the baseline's at the same batch and threads."""

    name: str
    colour: int
    ratio: Ratio


@dataclass(frozen=True, slots=True)
class Forest:
    """What a forest plot draws. ``band`` and ``span`` are ratios, from and to.

    Inside ``band`` (1 / (1 + δ) to 1 + δ, δ as the verdicts were drawn with) two variants are taken
    for equally fast; ``span`` is the whole axis, logarithmic, with ``ticks`` on it.
    """

    rows: tuple[ForestRow, ...]
    delta: float
    band: tuple[float, float]
    span: tuple[float, float]
    ticks: tuple[float, ...]
    sentence: str


def forest(variants: tuple[VariantFigures, ...], other: str = "the original") -> Forest | None:
    """Every variant that has a ratio, in the order of the plan; None where none has.

    ``other`` is what the ratios are against, in words.
    """
    rows = (ForestRow(v.name, v.colour, v.ratio) for v in variants if v.ratio is not None)
    return of_rows(tuple(rows), other)


def of_rows(rows: tuple[ForestRow, ...], other: str) -> Forest | None:
    """The plot of these rows; None of none."""
    if not rows:
        return None
    delta = max(row.ratio.delta for row in rows)
    band = (1 / (1 + delta), 1 + delta)
    low = min(band[0], *(row.ratio.low for row in rows))
    high = max(band[1], *(row.ratio.high for row in rows))
    pad = (high / low) ** 0.06
    span = (low / pad, high * pad)
    parts = "; ".join(f"{row.name} {words.compared(row.ratio, other)}" for row in rows)
    return Forest(
        rows=rows,
        delta=delta,
        band=band,
        span=span,
        ticks=_ticks(*span),
        sentence=f"Speed against {other}, with 95 % intervals: {parts}. The shaded band, "
        f"{band[0]:.3f}× to {band[1]:.3f}×, is where a difference does not count.",
    )


def _ticks(low: float, high: float) -> tuple[float, ...]:
    """Round ratios inside the span, few enough for a narrow screen, 1 among them."""
    wide = high / low
    if wide > _WIDER:
        steps = (1,) if wide > _WIDEST else (1, 2, 5)
        found = [k * 10.0**power for power in range(-6, 7) for k in steps]
    elif wide > _WIDE:
        found = [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5]
    else:
        step = 0.1 if wide > 1.25 else 0.05 if wide > 1.12 else 0.02
        found = [1 + step * k for k in range(-12, 13)]
    return tuple(round(tick, 7) for tick in found if low <= tick <= high)
