"""A section of a report: sentences, plots and a table, drawn alike on the page and in the HTML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.reports.tables import Table


@dataclass(frozen=True, slots=True)
class Series:
    """One line, set of points, or part of stacked bars.

    ``x`` holds numbers, or in stacked bars the names of these. ``y`` is None where there is
    nothing; ``low`` and ``high`` are the ends of its interval, empty without intervals. ``colour``
    is that of the variant it belongs to (``VariantFigures.colour``). ``dashed`` is for what is a
    limit and no measurement; of two limits in one plot the colours are 0 and 1.
    """

    name: str
    colour: int
    x: tuple[float | str, ...]
    y: tuple[float | None, ...]
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Plot:
    """``curves``: lines with their points; ``points``: marks alone; ``stacked``: bars of parts.

    ``alt`` is the sentence for those who do not see it: what follows from it, with its figures.
    """

    kind: Literal["curves", "points", "stacked"]
    x_title: str
    y_title: str
    series: tuple[Series, ...]
    alt: str
    x_log: bool = False
    y_log: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """``name`` is its anchor, and that of the study it is of.

    ``notes`` stand under the table: what limits what it says. With ``folded`` the page shows it on
    a click: it is for those who doubt the rest.
    """

    name: str
    title: str
    caption: str
    plots: tuple[Plot, ...]
    table: Table
    notes: tuple[str, ...] = ()
    folded: bool = False
