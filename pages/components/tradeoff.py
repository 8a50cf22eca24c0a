"""Latency against quality and size: the chart, two limits, and the best within them."""

from __future__ import annotations

import html
import math

import plotly.graph_objects as go
import streamlit as st

import engine
from engine import Figures, Tradeoff
from pages.components import charts, state
from pages.components.text import plain

_SMALLEST_PX, _LARGEST_PX = 12, 44


def show(found: Figures, report_id: str, *, dark: bool) -> None:
    """The chart, and which artifact is best for the limits a person sets."""
    trade = found.tradeoff
    if trade is None:
        return
    st.subheader("Which one to take", anchor="tradeoff")
    st.caption(
        f"Across: median latency. Up: loss, {trade.loss_name}. The larger the mark, the larger "
        "the file; whiskers are 95 % intervals. Filled: nothing measured beats it in all three. "
        "Down and left is better."
    )
    charts.draw(_kept(report_id, dark, trade.table.rows, trade), "tradeoff")
    _answer(trade)


@st.cache_resource(max_entries=32, show_spinner=False)
def _kept(report_id: str, dark: bool, rows: object, _trade: Tradeoff) -> charts.Chart:
    """The chart of a report in one theme, built once; ``rows`` tell a changed report apart."""
    return chart(_trade, dark=dark)


def chart(trade: Tradeoff, *, dark: bool) -> charts.Chart:
    """One mark an artifact; hollow where another is better in everything."""
    figure = go.Figure()
    largest = max(point.size_mib for point in trade.points)
    for point in trade.points:
        if point.loss is None:
            continue
        colour = charts.paint(point.colour, dark)
        symbol = charts.SYMBOLS[point.colour % len(charts.SYMBOLS)]
        figure.add_scatter(
            x=[point.latency_ms],
            y=[point.loss],
            name=html.escape(point.name),
            mode="markers",
            marker={
                "color": colour,
                "symbol": symbol if point.unbeaten else f"{symbol}-open",
                "size": max(_SMALLEST_PX, _LARGEST_PX * math.sqrt(point.size_mib / largest)),
                "opacity": 0.85,
                "line": {"width": 2, "color": colour},
            },
            error_y=charts.whisker(point.loss, point.loss_interval, colour),
            error_x=charts.whisker(point.latency_ms, point.latency_interval, colour),
            cliponaxis=False,
            hovertemplate=f"%{{x:.3~g}} ms, %{{y:.3~g}} %, {point.size_mib:.3g} MiB"
            "<extra>%{fullData.name}</extra>",
        )
    known = [point.latency_ms for point in trade.points if point.loss is not None]
    charts.axes(figure, "Median latency, ms", known or [1.0], across=True)
    reached = [(point.loss_interval or (0.0, point.loss or 0.0))[1] for point in trade.points]
    top = max(1.0, *reached)
    figure.update_yaxes(title="Loss, %", range=[-0.08 * top, 1.12 * top], nticks=6, zeroline=False)
    return charts.Chart(charts.laid_out(figure, 420), trade.sentence, trade.table)


def _answer(trade: Tradeoff) -> None:
    """Two limits; the smallest artifact within both."""
    largest = float(math.ceil(max((p.loss for p in trade.points if p.loss is not None), default=1)))
    slowest = max(point.latency_ms for point in trade.points)
    left, right = st.columns(2, gap="large")
    most_loss = left.slider(
        "Quality loss I accept, %",
        0.0,
        max(1.0, largest),
        max(1.0, largest),
        step=max(1.0, largest) / 200,
        key=state.MOST_LOSS,
    )
    most_ms = right.slider(
        "Latency I need, ms",
        0.0,
        _rounded_up(slowest),
        _rounded_up(slowest),
        step=_rounded_up(slowest) / 200,
        key=state.MOST_MS,
    )
    best = engine.best_for(trade, most_loss=most_loss, most_ms=most_ms)
    if best is None:
        st.info("Nothing measured is within both limits. Loosen one, or make another artifact.")
        return
    said = (
        f"**{plain(best.name)}** is the smallest within both: {best.latency_ms:.3g} ms, "
        f"{best.size_mib:.3g} MiB, loss {best.loss:.3g} %."
    )
    if best.lost:
        lost = f"But it loses {plain(best.lost)}: lower the loss you accept for one that does not."
        st.warning(f"{said} {lost}", icon=":material/warning:")
    elif unsure := best.unsure(most_loss, most_ms):
        st.info(f"{said} Not surely: by its 95 % interval {unsure}.", icon=":material/info:")
    else:
        st.success(said, icon=":material/check_circle:")


def _rounded_up(value: float) -> float:
    """To two significant digits, never below the value."""
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(math.ceil(value / step) * step)
