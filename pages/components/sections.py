"""What studies found: every section of a report drawn in the same way, whatever it is about."""

from __future__ import annotations

import html
import math

import plotly.graph_objects as go
import streamlit as st

from engine import Plot, Section, Series
from pages.components import charts, table
from pages.components.table import Tabular
from pages.components.text import plain

_LIMIT = "#7A8590"
_MOST_DOUBLINGS, _MOST_TICKS = 11, 7
_WIDE = 60.0
"""Times as much from one end to the other: above, only powers of ten are ticks."""


def show(found: tuple[Section, ...], report_id: str, *, dark: bool) -> None:
    """One after the other; what is for those who doubt the rest stays closed until it is opened."""
    for section in found:
        if section.folded:
            with st.expander(section.title, key=f"{section.name}-open", on_change="rerun") as box:
                if box.open:
                    _draw(section, report_id, dark=dark)
        else:
            st.subheader(section.title, anchor=section.name)
            _draw(section, report_id, dark=dark)


def _draw(section: Section, report_id: str, *, dark: bool) -> None:
    """What is seen, the plots with their table beneath, and what limits it."""
    st.caption(plain(section.caption))
    drawn = _kept(report_id, dark, section.table.rows, section)
    for index, chart in enumerate(drawn):
        last = index == len(drawn) - 1
        # A fold in a fold cannot be opened, so that a folded section shows its table at once.
        behind = f"The figures of {section.title.lower()}" if last and not section.folded else ""
        charts.draw(chart, f"{section.name}-{index}", behind=behind)
    if section.folded or not drawn:
        table.grid(table.of_text(section.table))
    if section.table.note or section.notes:
        st.caption("\n\n".join(map(plain, filter(None, (section.table.note, *section.notes)))))


@st.cache_resource(max_entries=64, show_spinner=False)
def _kept(report_id: str, dark: bool, rows: object, _section: Section) -> tuple[charts.Chart, ...]:
    """The charts of a section in one theme, built once; ``rows`` tell a changed report apart."""
    return tuple(chart(plot, _section.table, dark=dark) for plot in _section.plots)


def chart(plot: Plot, behind: Tabular, *, dark: bool) -> charts.Chart:
    """One plot with its words and the table it is drawn from."""
    figure = go.Figure()
    drawn = _stacked(figure, plot, dark) if plot.kind == "stacked" else _curves(figure, plot, dark)
    return charts.Chart(drawn, plot.alt, behind)


def _curves(figure: go.Figure, plot: Plot, dark: bool) -> charts.Picture:
    for one in plot.series:
        colour = _LIMIT if one.dashed else charts.paint(one.colour, dark)
        figure.add_scatter(
            x=list(one.x),
            y=list(one.y),
            name=html.escape(one.name),
            mode="markers" if plot.kind == "points" and not one.dashed else _mode(one),
            line={
                "width": 1.5 if one.dashed else 2.5,
                "color": colour,
                "dash": _limit_dash(one)
                if one.dashed
                else charts.DASHES[one.colour % len(charts.DASHES)],
            },
            marker={
                "color": colour,
                "size": 9,
                "symbol": charts.SYMBOLS[one.colour % len(charts.SYMBOLS)],
            },
            error_y=_whiskers(one, charts.INK[dark]),
            hovertemplate="%{x:.4~g}: %{y:.4~g}<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title=plot.x_title)
    figure.update_yaxes(title=plot.y_title)
    _scale(figure, plot)
    return charts.laid_out(figure, 360)


def _limit_dash(one: Series) -> str:
    """Two limits in one plot are told apart."""
    return ("dash", "dot")[one.colour % 2]


def _mode(one: Series) -> str:
    return "lines" if one.dashed else "lines+markers"


def _scale(figure: go.Figure, plot: Plot) -> None:
    """From nothing up, or logarithmic where asked, with ticks that have room."""
    for log, update, values in (
        (plot.x_log, figure.update_xaxes, [x for one in plot.series for x in one.x]),
        (plot.y_log, figure.update_yaxes, [y for one in plot.series for y in one.y]),
    ):
        numbers = sorted({float(value) for value in values if value})
        if log and numbers:
            ticks = _ticks(numbers)
            update(type="log", tickvals=ticks, ticktext=[f"{tick:,.10g}" for tick in ticks])
        else:
            update(rangemode="tozero", nticks=6)


def _ticks(values: list[float]) -> list[float]:
    """The values themselves where they are few doublings, else round numbers, few enough."""
    if len(values) <= _MOST_DOUBLINGS and all(math.log2(value).is_integer() for value in values):
        return values
    low, high = values[0] * 0.8, values[-1] * 1.25
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [k * 10.0**power for power in range(-9, 16) for k in steps]
        shown = [tick for tick in ticks if low <= tick <= high]
        if len(shown) <= _MOST_TICKS:
            return shown
    return shown[:: math.ceil(len(shown) / _MOST_TICKS)]


def _whiskers(one: Series, colour: str) -> dict[str, object]:
    """The intervals of every point; nothing where there are none."""
    if not one.low or not one.high:
        return {"visible": False}
    ends = list(zip(one.y, one.low, one.high, strict=True))
    known = [(y, low, high) for y, low, high in ends if None not in (y, low, high)]
    if not known:
        return {"visible": False}
    return {
        "type": "data",
        "symmetric": False,
        "array": [0 if y is None or high is None else high - y for y, _, high in ends],
        "arrayminus": [0 if y is None or low is None else y - low for y, low, _ in ends],
        "color": colour,
        "thickness": 1.5,
        "width": 5,
    }


def _stacked(figure: go.Figure, plot: Plot, dark: bool) -> charts.Picture:
    """Bars of parts, their names above them, so that a narrow screen has room for both."""
    names = [str(name) for name in plot.series[0].x]
    for one in plot.series:
        figure.add_bar(
            x=list(one.y),
            y=list(range(len(names))),
            orientation="h",
            width=0.34,
            name=html.escape(one.name),
            marker={
                "color": charts.paint(one.colour, dark),
                "pattern": {"shape": charts.HATCHES[one.colour % len(charts.HATCHES)]},
            },
            hovertemplate="%{x:.3~g}<extra>%{fullData.name}</extra>",
        )
    for at, name in enumerate(names):
        total = sum(one.y[at] or 0 for one in plot.series)
        figure.add_annotation(
            x=0,
            y=at - 0.24,
            text=f"{html.escape(name)}  <b>{charts.digits(total)}</b>",
            showarrow=False,
            xanchor="left",
            yanchor="bottom",
            font={"size": 14, "color": charts.INK[dark]},
        )
    figure.update_yaxes(visible=False, range=[len(names) - 0.6, -0.75])
    figure.update_xaxes(title=plot.x_title, rangemode="tozero", zeroline=False, nticks=6)
    drawn = charts.laid_out(figure, charts.BAR_PX * len(names) + 110, top=10, legend=True)
    drawn.update_layout(barmode="stack", legend_traceorder="normal")
    return drawn
