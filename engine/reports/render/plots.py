"""The plots of sections as SVG, whatever they are about."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

from engine.reports import words
from engine.reports.render.charts import COLOURS, Axis, dash, each, line, mark
from engine.reports.render.svg import element, path, picture, text
from engine.reports.sections.model import Plot, Series

_ROW, _LINE, _BAR = 46, 19, 14
_LEFT, _TOP, _BOTTOM, _HEIGHT = 62, 14, 244, 290


def drawn(plot: Plot) -> str:
    """One plot, for a wide page and for a narrow one."""
    draw = _stacked if plot.kind == "stacked" else _curves
    return each(lambda width, name: draw(plot, width, name))


def key(series: Series, kind: str) -> str:
    """A small sign in the colour of a series, for a legend in the page's own text."""
    if kind == "stacked":
        inside = element("rect", x=8, y=1, width=18, height=10, class_=_fill(series))
    else:
        inside = path(((1, 6), (33, 6)), class_=line(series.colour), stroke_dasharray=_dash(series))
    return element(
        "svg", inside, viewBox="0 0 34 12", width=34, height=12, aria_hidden="true", class_="key"
    )


def _curves(plot: Plot, width: int, name: str) -> str:
    across = _axis([float(x) for one in plot.series for x in one.x], _LEFT, width - 12, plot.x_log)
    heights = [v for one in plot.series for v in (*one.y, *one.low, *one.high) if v is not None]
    up = _axis(heights, _BOTTOM, _TOP, plot.y_log)
    parts = [*_grid(plot, across, up, width, 8 if name == "wide" else 4)]
    for one in plot.series:
        points = [
            (across(float(x)), up(y)) for x, y in zip(one.x, one.y, strict=True) if y is not None
        ]
        if plot.kind == "curves" or one.dashed:
            parts.append(path(points, class_=line(one.colour), stroke_dasharray=_dash(one)))
        parts += _whiskers(one, across, up)
        if not one.dashed:
            parts += [mark(one.colour, x, y, class_=_fill(one)) for x, y in points]
    return picture(width, _HEIGHT, plot.alt, *parts, name=name)


def _axis(values: list[float], start: float, end: float, log: bool) -> Axis:
    low, high = min(values), max(values)
    if log:
        return Axis(low / 1.15, high * 1.15, start, end, log)
    return Axis(min(0.0, low), high * 1.06 or 1.0, start, end, log)


def _grid(plot: Plot, across: Axis, up: Axis, width: int, about: int) -> Iterable[str]:
    for value in up.ticks(5):
        yield path(((_LEFT, up(value)), (width - 12, up(value))), class_="grid")
        shown = words.number(value)
        yield text(shown, _LEFT - 8, up(value) + 4, class_="tick", text_anchor="end")
    for value in across.ticks(about):
        x = across(value)
        yield text(f"{value:,.4g}", x, _BOTTOM + 18, class_="tick", text_anchor="middle")
    yield text(plot.y_title, 0, _TOP - 3, class_="tick")
    yield text(plot.x_title, width - 12, _BOTTOM + 38, class_="tick", text_anchor="end")


def _whiskers(one: Series, across: Axis, up: Axis) -> Iterable[str]:
    for x, low, high in zip(one.x, one.low, one.high, strict=False):
        if low is not None and high is not None:
            at = across(float(x))
            yield path(((at, up(low)), (at, up(high))), class_="whisker")


def _stacked(plot: Plot, width: int, name: str) -> str:
    names = [str(label) for label in plot.series[0].x]
    totals = [sum(one.y[at] or 0 for one in plot.series) for at in range(len(names))]
    scale = (width - 8) / (max(totals, default=0) or 1.0)
    parts: list[str] = []
    for at, label in enumerate(names):
        top = at * _ROW
        parts.append(text(_shortened(label, name), 0, top + 14, class_="label"))
        shown = words.number(totals[at])
        parts.append(text(shown, width, top + 14, class_="value", text_anchor="end"))
        lengths = [(one.y[at] or 0) * scale for one in plot.series]
        starts = accumulate(lengths, initial=0.75)
        for one, start, length in zip(plot.series, starts, lengths, strict=False):
            box = {"x": start, "y": top + 21, "width": max(length, 0.1), "height": _BAR}
            parts.append(element("rect", **box, class_=_fill(one)))
    bottom = len(names) * _ROW + _LINE
    parts.append(text(plot.x_title, width, bottom - 5, class_="tick", text_anchor="end"))
    return picture(width, bottom, plot.alt, *parts, name=name)


def _shortened(label: str, name: str) -> str:
    most = 34 if name == "narrow" else 60
    return label if len(label) <= most else f"{label[: most - 1]}…"


def _fill(one: Series) -> str:
    return f"fill c{one.colour % COLOURS}"


def _dash(one: Series) -> str:
    return ("4 4", "1 4")[one.colour % 2] if one.dashed else dash(one.colour)
