"""Every variant beside the least time that this machine could take for its work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from engine.bench.observations import Roofline
from engine.reports import words
from engine.reports.model import Report
from engine.reports.sections.model import Plot, Section, Series
from engine.reports.tables import Table
from engine.reports.variants import VariantFigures, variant_figures

PLACE = 75
_GIGA = 1e9
_DISTANCES = (
    (1.25, "at the limit"),
    (2.0, "near the limit"),
    (5.0, "some way from the limit"),
    (20.0, "far from the limit"),
    (math.inf, "very far from the limit"),
)
IMPOSSIBLE = "impossible: faster than the roof"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one variant stands. ``least_ms`` is what arithmetic or memory alone would take."""

    variant: VariantFigures
    found: Roofline

    @property
    def operations(self) -> int:
        found = self.found
        return found.float_operations + found.half_operations + found.int8_operations

    @property
    def arithmetic_ms(self) -> float:
        """Each kind of operation at its own pace; 16 bits at that of float."""
        in_float = self.found.float_operations + self.found.half_operations
        seconds = (
            in_float / self.found.float_gops + self.found.int8_operations / self.found.int8_gops
        )
        return 1e3 * seconds / _GIGA

    @property
    def memory_ms(self) -> float:
        """What cannot lie in the cache has to come from memory, every time."""
        beyond = max(0, self.found.bytes - (self.found.cache_bytes or 0))
        return 1e3 * beyond / (self.found.memory_gbs * _GIGA)

    @property
    def least_ms(self) -> float:
        return max(self.arithmetic_ms, self.memory_ms)

    @property
    def intensity(self) -> float:
        """Operations a byte."""
        return self.operations / self.found.bytes

    @property
    def impossible(self) -> bool:
        """Whether even the slow end of its median's interval is faster than the limit."""
        return (self.variant.p50.high or self.variant.typical_ms) < self.least_ms

    def pace(self, milliseconds: float) -> float:
        """10⁹ operations a second, were it to take so long."""
        return self.operations / milliseconds / 1e6

    @property
    def distance(self) -> str:
        """How far from the limit, in words."""
        if self.impossible:
            return IMPOSSIBLE
        times = self.variant.typical_ms / self.least_ms
        return next(word for most, word in _DISTANCES if times <= most)

    @property
    def share(self) -> float:
        """The least time as a share of the measured one: 1 is the roof."""
        return self.least_ms / self.variant.typical_ms


def section(report: Report) -> Section | None:
    """The classical plot, a line a limit and a mark a variant; one for each number of threads."""
    if report.measurement is None or not report.measurement.roofline:
        return None
    variants = {v.key: v for v in variant_figures(report)}
    names = {key: v.name for key, v in variants.items()}
    found = [
        Standing(variants[one.variant], one)
        for one in report.measurement.roofline
        if one.variant in variants and _counts(one)
    ]
    if not found:
        return None
    threads = sorted({one.variant.threads for one in found})
    return Section(
        name="roofline",
        title="Distance from the machine's limit",
        caption="Each mark is a variant: to the right, operations for every byte it has to read; "
        "up, operations a second that it reached. Dashed is the limit: left of the bend memory "
        "sets it, right of it arithmetic. The nearer to the line, the less is left to gain.",
        plots=tuple(_plot([one for one in found if one.variant.threads == n]) for n in threads),
        table=Table(
            "Roofline",
            (
                *("Variant", "Operations, 10⁹", "Bytes, 10⁶", "Operations a byte"),
                *("Reached, 10⁹/s", "Limit, 10⁹/s", "Of the limit", "Distance", "What limits"),
                "Counted on",
            ),
            tuple(_row(one, names) for one in found),
            "A multiplication and an addition are two operations. Bytes are weights, inputs and "
            "outputs, each once. The limit holds for the least time: the operations at the "
            "best pace measured for their kind, or what does not fit into the largest cache at the "
            "best pace of memory, whichever takes longer. Time is the median.",
        ),
        notes=tuple(_notes(found)),
    )


def _counts(one: Roofline) -> bool:
    """Whether there is something to divide by; a report from elsewhere may hold anything."""
    paces = (one.float_gops, one.int8_gops, one.memory_gbs, one.bytes)
    whole = one.float_operations + one.half_operations + one.int8_operations
    return min(paces) > 0 and whole > 0


def _plot(found: Sequence[Standing]) -> Plot:
    first = found[0].found
    least, most = (end(one.intensity for one in found) for end in (min, max))
    peaks = {"float": max(one.found.float_gops for one in found)}
    if any(one.found.int8_operations for one in found):
        peaks["8 bits"] = max(one.found.int8_gops for one in found)
    bends = [peak / first.memory_gbs for peak in peaks.values()]
    span = (min(least, *bends) / 3, max(most, *bends) * 3)
    limits = tuple(
        _limit(f"Limit in {name}", place, peak, first.memory_gbs, span)
        for place, (name, peak) in enumerate(peaks.items())
    )
    marks = tuple(
        Series(
            f"{one.variant.name}: {_percent(one)}",
            one.variant.colour,
            (one.intensity,),
            (one.pace(one.variant.typical_ms),),
            (one.pace(one.variant.p50.high or one.variant.typical_ms),),
            (one.pace(one.variant.p50.low or one.variant.typical_ms),),
        )
        for one in found
    )
    many = f" With {found[0].variant.threads} threads." if found[0].variant.threads > 1 else ""
    return Plot(
        "points",
        "Operations a byte",
        "10⁹ operations a second",
        (*limits, *marks),
        f"Speed beside the machine's limit: {_said(found)}.{many}",
        x_log=True,
        y_log=True,
    )


def _limit(name: str, colour: int, peak: float, memory: float, span: tuple[float, float]) -> Series:
    """The slanted line of memory and the flat one of arithmetic."""
    bend = peak / memory
    at = (span[0], bend, span[1])
    return Series(name, colour, at, tuple(min(peak, memory * x) for x in at), dashed=True)


def _said(found: Sequence[Standing]) -> str:
    """The distance of each, in words and per cent."""
    return "; ".join(
        f"{one.variant.name} is {one.distance}, {_percent(one)} of it" for one in found
    )


def _row(one: Standing, names: dict[str, str]) -> tuple[str, ...]:
    own = one.found.counted_on == one.found.variant
    return (
        one.variant.name,
        words.number(one.operations / _GIGA),
        words.number(one.found.bytes / 1e6),
        words.number(one.intensity),
        words.number(one.pace(one.variant.typical_ms)),
        words.number(one.pace(one.least_ms)),
        _percent(one),
        one.distance,
        "arithmetic" if one.arithmetic_ms >= one.memory_ms else "memory",
        "its own graph" if own else names.get(one.found.counted_on, one.found.counted_on),
    )


def _percent(one: Standing) -> str:
    return words.share(one.share, 0 if one.share >= 0.1 else 1)


def _notes(found: Sequence[Standing]) -> list[str]:
    said = [
        f"{one.variant.name} is faster than the roof ({_percent(one)} of the limit), which cannot "
        "be: its operations are counted too high (a kernel may save multiplications), the limit "
        "was measured on a busy machine, or the time is wrong. Do not rely on it."
        for one in found
        if one.impossible
    ]
    said.append(f"{_said(found)}.")
    for threads in sorted({one.variant.threads for one in found}):
        here = next(one.found for one in found if one.variant.threads == threads)
        many = "1 thread" if threads == 1 else f"{threads} threads"
        said.append(
            f"With {many} the machine reached {here.float_gops:,.0f} × 10⁹ operations a second in "
            f"float and {here.int8_gops:,.0f} in 8 bits (products of two square matrices), and "
            f"{here.memory_gbs:,.1f} × 10⁹ bytes a second from memory."
        )
    cache = found[0].found.cache_bytes
    cached = [one.variant.name for one in found if cache and one.found.bytes <= cache]
    if cached and cache:
        said.append(
            f"What these read fits into the {words.size(cache)} cache, so that memory need not "
            f"limit them, and a mark may lie above the slanted line: {', '.join(cached)}."
        )
    if any(one.found.half_operations for one in found):
        said.append(
            "16-bit operations are held against the limit in float: theirs is not measured."
        )
    return said
