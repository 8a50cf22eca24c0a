"""A measurement as it grows: every process in the order it ran, medians so far, the noise."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
import streamlit as st

import engine
from pages.components import charts, state, table
from pages.components.text import plain

TICK_S = 3.0
"""Seconds between two looks: an open page must not disturb what is measured."""

_NOISE = {
    "": (":material/hourglass_empty:", "noise: too early to say"),
    "A": (":material/check_circle:", "noise: A, quiet"),
    "B": (":material/check_circle:", "noise: B, nearly quiet"),
    "C": (":material/warning:", "noise: C, unsteady"),
    "D": (
        ":material/error:",
        "noise: D, restless; other work on this machine shows in the figures",
    ),
}


@dataclass(frozen=True, slots=True)
class _Rows:
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@st.fragment(run_every=TICK_S)
def show(job_id: str) -> None:
    """What there is of a running measurement, drawn anew every few seconds."""
    result = engine.job(job_id).result
    if weighing := result.get("weighing"):
        st.markdown(weighed(weighing))
    if found := result.get("live"):
        draw(found, dark=st.context.theme.type == "dark")


def draw(found: Mapping[str, Any], *, dark: bool) -> None:
    """The state of a measurement in a line, its strip, and its figures beneath."""
    icon, noise = _NOISE[found["noise"]]
    left = remaining(found["seconds_left"], found.get("to_come", ()))
    st.markdown(f"{icon} Round {found['round']} of {found['rounds']} · {left} · {noise}")
    if found["restless"]:
        st.warning(f"Noisy machine: {plain('; '.join(found['restless']))}.")
    st.plotly_chart(
        strip(found, dark=dark),
        alt=alt(found),
        key=state.STRIP,
        config={"displayModeBar": False},
    )
    table.grid(table.of_text(figures(found)))


def remaining(seconds: float, to_come: Sequence[str] = ()) -> str:
    """How long the times will take yet, in words, and what comes after them."""
    after = f", then: {', '.join(to_come)}" if to_come else ""
    if seconds <= 0:
        return f"times taken{after}" if to_come else "nearly done"
    if seconds < 90:
        return f"about {max(5, 5 * round(seconds / 5))} s left{after}"
    return f"about {round(seconds / 60)} min left{after}"


def weighed(found: Mapping[str, Any]) -> str:
    """How far memory is, which comes before the times, and how long it will take yet."""
    said = f":material/hourglass_empty: Memory: {found['done']} of {found['total']} weighed"
    if found["done"] == found["total"]:
        return f"{said}, then: {', '.join(found['to_come'])}"
    return f"{said} · {remaining(max(1, found['seconds_left']), found['to_come'])}"


def alt(found: Mapping[str, Any]) -> str:
    """What the strip shows, in a sentence."""
    rows = [row for row in found["variants"] if row["p50_ms"] is not None]
    said = "; ".join(f"{row['label']} {_median(row)} ms" for row in rows)
    hollow = sum(block[2] for block in found["strip"])
    return (
        f"{len(found['strip'])} processes so far in the order they ran, {hollow} of them "
        f"discarded. Medians: {said or 'none yet'}."
    )


def strip(found: Mapping[str, Any], *, dark: bool) -> go.Figure:
    """One mark a process; hollow ones belong to discarded rounds."""
    figure = go.Figure()
    for place, row in enumerate(found["variants"]):
        own = [(at, ms, out) for at, (of, ms, out) in enumerate(found["strip"], 1) if of == place]
        symbol = charts.SYMBOLS[place % len(charts.SYMBOLS)]
        figure.add_scatter(
            x=[at for at, _, _ in own],
            y=[ms for _, ms, _ in own],
            name=html.escape(_name(row)),
            mode="markers",
            marker={
                "color": charts.paint(place, dark),
                "size": 9,
                "symbol": [f"{symbol}-open" if out else symbol for _, _, out in own],
            },
        )
    charts.axes(figure, "Median, ms", [ms for _, ms, _ in found["strip"]], across=False)
    figure.update_xaxes(title="Process, as it ran", showgrid=False)
    return charts.laid_out(figure, 280)


def figures(found: Mapping[str, Any]) -> _Rows:
    """The medians so far with their intervals."""
    rows = tuple((_name(row), _median(row), str(row["processes"])) for row in found["variants"])
    return _Rows(("What", "Median so far [95 % interval], ms", "Processes"), rows)


def _name(row: Mapping[str, Any]) -> str:
    threads = "1 thread" if row["threads"] == 1 else f"{row['threads']} threads"
    return f"{row['label']}, batch {row['batch']}, {threads}"


def _median(row: Mapping[str, Any]) -> str:
    if row["p50_ms"] is None:
        return "–"
    if row["low_ms"] is None:
        return f"{row['p50_ms']:.3g}"
    return f"{row['p50_ms']:.3g} [{row['low_ms']:.3g}, {row['high_ms']:.3g}]"
