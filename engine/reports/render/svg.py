"""A little SVG: elements as text, with everything escaped on the way in."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

Attribute = str | int | float


def element(tag: str, /, *children: str, **attributes: Attribute) -> str:
    """One element. ``children`` are SVG already; a trailing or inner ``_`` in a name is ``-``."""
    named = "".join(
        f' {name.strip("_").replace("_", "-")}="{_written(value)}"'
        for name, value in attributes.items()
    )
    inside = "".join(children)
    return f"<{tag}{named}>{inside}</{tag}>" if inside else f"<{tag}{named}/>"


def text(content: str, x: float, y: float, **attributes: Attribute) -> str:
    """A line of text: data, never markup."""
    return element("text", escape(content), x=x, y=y, **attributes)


def path(points: Iterable[tuple[float, float]], **attributes: Attribute) -> str:
    """A line through the points."""
    steps = " ".join(f"{'L' if at else 'M'}{x:.1f} {y:.1f}" for at, (x, y) in enumerate(points))
    return element("path", d=steps, **attributes)


def picture(width: int, height: int, title: str, *children: str, name: str) -> str:
    """The whole picture, with ``title`` as its text alternative. ``name`` is its CSS class."""
    return element(
        "svg",
        element("title", escape(title)),
        *children,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        class_=name,
    )


def ticks(low: float, high: float, about: int = 5) -> tuple[float, ...]:
    """Round numbers from ``low`` to ``high``, about so many."""
    span = high - low
    if span <= 0:
        return (low,)
    raw = span / about
    power = 10.0 ** _floor_log10(raw)
    step = next(power * k for k in (1, 2, 2.5, 5, 10) if power * k >= raw * 0.999)
    first = -(-low // step) * step
    count = int((high - first) / step + 1e-9) + 1
    return tuple(round(first + step * index, 10) for index in range(count))


def _floor_log10(value: float) -> int:
    return int(f"{value:e}".split("e")[1])


def _written(value: Attribute) -> str:
    return escape(f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value))
