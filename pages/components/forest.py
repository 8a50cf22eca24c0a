"""The forest plot: every ratio with its interval, beside the band in which nothing differs."""

from __future__ import annotations

import html
import math

import plotly.graph_objects as go
import streamlit as st

from engine import Against, Forest
from pages.components import charts
from pages.components.table import Tabular
from pages.components.text import plain

_SHADE = "rgba(122, 133, 144, 0.22)"


def show(against: Against, report_id: str, *, dark: bool) -> None:
    """The plot with a sentence above it; nothing where nothing is compared. Its table follows."""
    if against.forest is None:
        return
    st.caption(
        f"How many times as fast as {plain(against.other)}, with 95 % intervals: right of 1 is "
        f"faster. In the shaded band, ±{100 * against.forest.delta:.1f} %, a difference does not "
        "count."
    )
    behind = against.verdicts
    drawn = _kept(report_id, dark, behind.rows, against.forest, behind)
    charts.draw(drawn, "forest", behind="")


@st.cache_resource(max_entries=32, show_spinner=False)
def _kept(
    report_id: str, dark: bool, rows: object, _forest: Forest, _behind: Tabular
) -> charts.Chart:
    """The chart of a report in one theme, built once; ``rows`` tell a changed report apart."""
    return chart(_forest, _behind, dark=dark)


def chart(shown: Forest, behind: Tabular, *, dark: bool) -> charts.Chart:
    """Every ratio with its interval, and the band of equivalence."""
    figure = go.Figure()
    for at, row in enumerate(shown.rows):
        for (x0, x1), line in ((shown.band, "dot"), ((1, 1), "solid")):
            figure.add_shape(
                x0=x0,
                x1=x1,
                y0=at - 0.17,
                y1=at + 0.25,
                fillcolor=_SHADE,
                line={"color": "#7A8590", "width": 1, "dash": line},
                layer="below",
            )
        ratio = row.ratio
        figure.add_scatter(
            x=[ratio.value],
            y=[at],
            name=html.escape(row.name),
            mode="markers",
            marker={
                "color": charts.paint(row.colour, dark),
                "size": 12,
                "symbol": charts.SYMBOLS[row.colour % len(charts.SYMBOLS)],
            },
            error_x=charts.whisker(ratio.value, (ratio.low, ratio.high), charts.INK[dark]),
            hovertemplate=f"{ratio.value:.2f}× [{ratio.low:.2f}, {ratio.high:.2f}]"
            "<extra>%{fullData.name}</extra>",
        )
        figure.add_annotation(
            x=0,
            xref="paper",
            y=at - 0.22,
            text=f"{html.escape(row.name)}  <b>{ratio.value:.2f}× {ratio.verdict}</b>",
            showarrow=False,
            xanchor="left",
            yanchor="bottom",
            font={"size": 14, "color": charts.INK[dark]},
        )
    figure.update_yaxes(visible=False, range=[len(shown.rows) - 0.6, -0.75])
    figure.update_xaxes(
        type="log",
        range=[math.log10(end) for end in shown.span],
        tickvals=list(shown.ticks),
        ticktext=[f"{tick:.10g}×" for tick in shown.ticks],
        showgrid=False,
    )
    drawn = charts.laid_out(figure, charts.BAR_PX * len(shown.rows) + 50, top=10, legend=False)
    return charts.Chart(drawn, shown.sentence, behind)
