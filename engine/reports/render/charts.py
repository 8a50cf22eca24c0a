"""The charts of the HTML report as SVG, each drawn for a wide page and for a narrow one.

Colours are CSS variables of the page, so that one picture serves light, dark and print.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from engine.reports import words
from engine.reports.figures import Figures
from engine.reports.forest import Forest, ForestRow
from engine.reports.reference import BesideBar, ReferenceFigures
from engine.reports.render.svg import element, path, picture, text, ticks
from engine.reports.variants import VariantFigures

WIDTHS = {"wide": 912, "narrow": 330}
COLOURS = 6
DASHES = ("none", "7 4", "2 3", "10 3 2 3", "1 5", "12 5")
_ROW = 46
_LINE = 19
_BAR = 14
_LOG_FROM = 6.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its words, its length, its interval, and how it is painted."""

    label: str
    value: float
    shown: str
    colour: int
    low: float | None = None
    high: float | None = None
    hollow: bool = False


def latency(found: Figures) -> str:
    """Medians with their intervals."""
    shown = (
        Bar(
            v.name,
            v.typical_ms,
            f"{words.percentile(v.p50) if v.p50.value else words.percentile(v.mean)} ms",
            v.colour,
            v.p50.low,
            v.p50.high,
        )
        for v in found.variants
    )
    return _both(tuple(shown), found.takeaways.latency)


def memory(found: Figures) -> str:
    """Peak memory above the imported framework."""
    shown = (
        Bar(v.name, v.memory_mib, f"{words.number(v.memory_mib)} MiB", v.colour)
        for v in found.variants
        if v.memory_mib is not None
    )
    return _both(tuple(shown), found.takeaways.memory)


def sizes(found: Figures) -> str:
    """Files on the disk."""
    shown = tuple(
        Bar(v.name, v.size_mib, f"{words.number(v.size_mib)} MiB", v.colour) for v in found.variants
    )
    parts = "; ".join(f"{bar.label} {bar.shown}" for bar in shown)
    return _both(shown, f"File on the disk: {parts}.")


def measured_rows(beside: ReferenceFigures) -> str:
    """The panel of this machine: filled bars on a scale of its own."""
    shown = tuple(_beside(bar, beside.unit) for bar in beside.measured)
    return _both(shown, f"Measured, in {beside.unit}.")


def reference_rows(beside: ReferenceFigures) -> str:
    """The panel of the printed table: hollow bars on a scale of their own."""
    shown = tuple(replace(_beside(bar, beside.unit), hollow=True) for bar in beside.printed)
    return _both(shown, f"Reference, other machine ({beside.hardware}), in {beside.unit}.")


def forest(shown: Forest) -> str:
    """The speed of every variant against the original, with the band of equivalence."""
    return each(lambda width, name: _forest(shown, width, name))


def distribution(found: Figures) -> str:
    """The empirical distribution of every variant."""
    return each(lambda width, name: _distribution(found, width, name))


def order(found: Figures) -> str:
    """Every process's median in the order it ran."""
    return each(lambda width, name: _order(found, width, name))


def key(variant: VariantFigures) -> str:
    """A short stroke in the variant's colour and dash, for a legend in the page's own text."""
    stroke = path(
        ((1, 6), (33, 6)), class_=line(variant.colour), stroke_dasharray=dash(variant.colour)
    )
    return element(
        "svg", stroke, viewBox="0 0 34 12", width=34, height=12, aria_hidden="true", class_="key"
    )


def _beside(bar: BesideBar, unit: str) -> Bar:
    shown = f"{words.number(bar.value)} {unit}" + (f" · {bar.ratio:.2f}×" if bar.ratio else "")
    colour = COLOURS if bar.colour is None else bar.colour
    return Bar(bar.label, bar.value, shown, colour, bar.low, bar.high)


def _both(bars: tuple[Bar, ...], title: str) -> str:
    return each(lambda width, name: _bars(bars, width, name, title)) if bars else ""


def each(draw: Callable[[int, str], str]) -> str:
    """One drawing for a wide page and one for a narrow one, of which CSS shows one."""
    return "".join(draw(width, name) for name, width in WIDTHS.items())


def _bars(bars: tuple[Bar, ...], width: int, name: str, title: str) -> str:
    """Label and value above each bar, on two lines where it is narrow: nothing is squeezed."""
    longest = max(max(bar.value, bar.high or 0) for bar in bars) or 1.0
    stacked = name == "narrow"
    row = _ROW + _LINE if stacked else _ROW
    drawn = [
        part
        for at, bar in enumerate(bars)
        for part in _bar(bar, at * row, width, (width - 8) / longest, stacked)
    ]
    return picture(width, len(bars) * row, title, *drawn, name=name)


def _bar(bar: Bar, top: float, width: int, scale: float, stacked: bool) -> Iterable[str]:
    yield text(_shortened(bar.label, stacked), 0, top + 14, class_="label")
    if stacked:
        top += _LINE
        yield text(bar.shown, 0, top + 14, class_="value")
    else:
        yield text(bar.shown, width, top + 14, class_="value", text_anchor="end")
    y, length = top + 21, max(1.5, bar.value * scale)
    paint = (
        f"hollow printed c{bar.colour % (COLOURS + 1)}"
        if bar.hollow
        else f"fill c{bar.colour % COLOURS}"
    )
    yield element("rect", x=0.75, y=y, width=length, height=_BAR, rx=2, class_=paint)
    if bar.low is not None and bar.high is not None:
        middle, low, high = y + _BAR / 2, bar.low * scale, bar.high * scale
        yield path(((low, middle), (high, middle)), class_="whisker")
        for end in (low, high):
            yield path(((end, y + 2), (end, y + _BAR - 2)), class_="whisker")


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale from values to a span of pixels; logarithmic where the values span far."""

    low: float
    high: float
    start: float
    end: float
    log: bool

    def __call__(self, value: float) -> float:
        turn = math.log if self.log else float
        share = (turn(value) - turn(self.low)) / ((turn(self.high) - turn(self.low)) or 1.0)
        return self.start + share * (self.end - self.start)

    def ticks(self, about: int) -> tuple[float, ...]:
        if not self.log:
            return ticks(self.low, self.high, about)
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        found = [k * 10.0**power for power in powers for k in (1, 2, 5)]
        return tuple(value for value in found if self.low <= value <= self.high)


def _axis(values: list[float], start: float, end: float) -> Axis:
    low, high = min(values), max(values)
    log = high / low > _LOG_FROM
    pad = (high / low) ** 0.04 if log else (high - low) * 0.05 or high * 0.05
    return (
        Axis(low / pad, high * pad, start, end, log)
        if log
        else Axis(max(low - pad, low / 2), high + pad, start, end, log)
    )


def _forest(shown: Forest, width: int, name: str) -> str:
    stacked = name == "narrow"
    row = _ROW + _LINE if stacked else _ROW
    bottom = len(shown.rows) * row + 4.0
    across = Axis(*shown.span, 8, width - 8, log=True)
    drawn: list[str] = []
    for value in shown.ticks:
        x = across(value)
        drawn.append(path(((x, bottom), (x, bottom + 5)), class_="grid"))
        drawn.append(text(f"{value:.10g}×", x, bottom + 20, class_="tick", text_anchor="middle"))
    for at, one in enumerate(shown.rows):
        drawn += _forest_row(one, shown.band, at * row, width, across, stacked)
    return picture(width, int(bottom) + 28, shown.sentence, *drawn, name=name)


def _forest_row(
    one: ForestRow,
    band: tuple[float, float],
    top: float,
    width: int,
    across: Axis,
    stacked: bool,
) -> Iterable[str]:
    """Words above; beneath them the band, the line of no difference, the interval, the mark."""
    yield text(_shortened(one.name, stacked), 0, top + 14, class_="label")
    said = f"{words.times(one.ratio)} {one.ratio.verdict}"
    if stacked:
        top += _LINE
        yield text(said, 0, top + 14, class_="value")
    else:
        yield text(said, width, top + 14, class_="value", text_anchor="end")
    y = top + 32
    left, right = map(across, band)
    yield element("rect", x=left, y=y - 12, width=right - left, height=24, class_="band")
    yield path(((across(1), y - 12), (across(1), y + 12)), class_="grid")
    yield path(((across(one.ratio.low), y), (across(one.ratio.high), y)), class_="whisker")
    for end in (across(one.ratio.low), across(one.ratio.high)):
        yield path(((end, y - 5), (end, y + 5)), class_="whisker")
    paint = f"fill c{one.colour % COLOURS}"
    yield mark(one.colour, across(one.ratio.value), y, class_=paint)


def _shortened(label: str, stacked: bool) -> str:
    most = 38 if stacked else 60
    return label if len(label) <= most else f"{label[: most - 1]}…"


def _distribution(found: Figures, width: int, name: str) -> str:
    height, left, bottom, top = 300, 52, 264, 10
    # The slowest hundredth would squeeze everything else; the table has p99.
    shown = [(v, [p for p in v.ecdf if p[1] <= 0.99 or len(v.ecdf) < 100]) for v in found.variants]
    across = _axis([x for _, points in shown for x, _ in points], left, width - 10)
    drawn = [*_grid_x(across, top, bottom, "ms", width, 8 if name == "wide" else 4)]
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = bottom - share * (bottom - top)
        drawn.append(path(((left, y), (width - 10, y)), class_="grid"))
        drawn.append(text(words.share(share), left - 8, y + 4, class_="tick", text_anchor="end"))
    for v, points in shown:
        steps = [(across(points[0][0]), float(bottom))]
        for x, share in points:
            y = bottom - share * (bottom - top)
            steps += [(across(x), steps[-1][1]), (across(x), y)]
        drawn.append(path(steps, class_=line(v.colour), stroke_dasharray=dash(v.colour)))
    return picture(width, height, found.takeaways.distribution, *drawn, name=name)


def _order(found: Figures, width: int, name: str) -> str:
    height, left, bottom, top = 240, 52, 204, 10
    colours = {v.key: v.colour for v in found.variants}
    blocks = [block for block in found.blocks if block.variant in colours]
    up = _axis([block.p50_ms for block in blocks], bottom, top)
    last = max(block.position for block in blocks)
    across = Axis(0, last + 1, left, width - 10, log=False)
    drawn = [text("ms", 0, top + 4, class_="tick")]
    for value in up.ticks(4):
        drawn.append(path(((left, up(value)), (width - 10, up(value))), class_="grid"))
        shown = words.number(value)
        drawn.append(text(shown, left - 8, up(value) + 4, class_="tick", text_anchor="end"))
    for position in {1, last}:
        drawn.append(
            text(f"{position}", across(position), bottom + 18, class_="tick", text_anchor="middle")
        )
    middle = (left + width) / 2
    drawn.append(
        text("process, as it ran", middle, height - 6, class_="tick", text_anchor="middle")
    )
    for block in blocks:
        paint = "hollow" if block.discarded else "fill"
        drawn.append(
            mark(
                colours[block.variant],
                across(block.position),
                up(block.p50_ms),
                class_=f"{paint} c{colours[block.variant] % COLOURS}",
            )
        )
    return picture(width, height, found.takeaways.order, *drawn, name=name)


def mark(shape: int, x: float, y: float, **attributes: str) -> str:
    """Circle, square, triangle or diamond: a variant is known by more than its colour."""
    size = 5.0
    match shape % 4:
        case 0:
            return element("circle", cx=x, cy=y, r=size, **attributes)
        case 1:
            return element(
                "rect", x=x - size, y=y - size, width=2 * size, height=2 * size, **attributes
            )
        case 2:
            corners: tuple[tuple[float, float], ...] = (
                (x, y - size - 1),
                (x + size + 1, y + size),
                (x - size - 1, y + size),
            )
        case _:
            corners = ((x, y - size - 1), (x + size + 1, y), (x, y + size + 1), (x - size - 1, y))
    return element("polygon", points=" ".join(f"{a:.1f},{b:.1f}" for a, b in corners), **attributes)


def _grid_x(
    across: Axis, top: float, bottom: float, unit: str, width: int, about: int
) -> Iterable[str]:
    for value in across.ticks(about):
        x = across(value)
        yield path(((x, top), (x, bottom)), class_="grid")
        yield text(words.number(value), x, bottom + 18, class_="tick", text_anchor="middle")
    yield text(unit, width - 10, bottom + 34, class_="tick", text_anchor="end")


def line(colour: int) -> str:
    """The CSS classes of a stroke in a variant's colour."""
    return f"line c{colour % COLOURS}"


def dash(colour: int) -> str:
    """A variant's dashes: it is known by more than its colour."""
    return DASHES[colour % len(DASHES)]
