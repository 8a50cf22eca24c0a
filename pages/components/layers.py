"""Which layers lose quality, and which to leave in float: a fold on a quantized artifact's card."""

from __future__ import annotations

import html

import plotly.graph_objects as go
import streamlit as st

import engine
from engine import Artifact, ExcludeRequest, Goal, GoalKind, Search, Sensitivity, SensitivityRequest
from pages.components import charts, state, submission
from pages.components.text import plain

_GOALS: dict[GoalKind, tuple[str, str, float, float]] = {
    "accuracy": ("Accuracy lost, at most", "points", 1.0, 100.0),
    "agreement": ("Same answer as the original, at least", "%", 99.0, 100.0),
    "sqnr": ("SQNR of the outputs, at least", "dB", 30.0, 120.0),
}
_RANDOM = "random values"
_PX = 14


def fold(artifact: Artifact) -> None:
    """The layers by depth, and the search for those that must stay in float."""
    if not engine.has_layers(artifact):
        return
    key = f"{state.LAYERS}{artifact.id}"
    with st.expander("Which layers lose quality?", key=key, on_change="rerun") as box:
        if not box.open:
            return
        model_id = state.model_id() or ""
        dark = st.context.theme.type == "dark"
        if found := engine.sensitivity_of(artifact.id):
            st.text(found.sentence)
            st.caption(
                "SQNR of every quantized node against the same node in float. Higher is closer; "
                "below 20 dB the noise is more than a tenth of the signal."
            )
            charts.draw(by_depth(found, dark=dark), f"depth-{artifact.id}")
        data_id, labelled = _data(model_id, key)
        if st.button("Compare the layers", icon=":material/layers:", key=f"{key}-look"):
            request = SensitivityRequest(model_id, artifact.id, data_id)
            submission.queue(engine.submit_sensitivity, request)
        _search(artifact, key, data_id, labelled=labelled)
        if search := engine.search_of(artifact.id):
            _tried(search, dark=dark)


def _data(model_id: str, key: str) -> tuple[str | None, bool]:
    """The samples to compare and to judge on: (id, whether their classes are known)."""
    known = {one.id: one for one in engine.data_of(model_id)}
    chosen = st.selectbox(
        "Samples",
        [*known, ""],
        format_func=lambda one: known[one].name if one else _RANDOM,
        key=f"{key}-data",
        help="Calibrated, compared and searched on one part of it, judged once on the other. "
        "Figures from random values mean little.",
    )
    return chosen or None, bool(chosen and known[chosen].labelled)


def _search(artifact: Artifact, key: str, data_id: str | None, *, labelled: bool) -> None:
    """What quality must reach, and the button that searches."""
    st.markdown("**Leave as few layers in float as it takes**")
    kinds = [kind for kind in _GOALS if kind != "accuracy" or labelled]
    left, right = st.columns([2, 1])
    kind = left.selectbox(
        "Goal", kinds, format_func=lambda one: _GOALS[one][0], key=f"{key}-goal-{labelled}"
    )
    _, unit, usual, most = _GOALS[kind]
    limit = right.number_input(f"Limit, {unit}", 0.0, most, usual, key=f"{key}-limit-{kind}")
    st.caption(
        "The layers that lose most by themselves go first; each try is an artifact of its own, "
        "verified, and stays on this page. Tries are compared on the calibration part; what is "
        "found is judged once on samples that neither calibrated nor chose."
    )
    if st.button("Search", type="primary", icon=":material/search:", key=f"{key}-search"):
        goal = Goal(kind, float(limit))
        request = ExcludeRequest(state.model_id() or "", artifact.id, goal, data_id)
        submission.queue(engine.submit_exclude, request)


def _tried(search: Search, *, dark: bool) -> None:
    """The steps of the last search, and how to have its result."""
    missed = st.warning if search.found else st.info
    draw = st.success if search.proven else missed
    draw(plain(search.sentence))
    charts.draw(of_trials(search, dark=dark), f"trials-{search.artifact_id}")
    if search.found and search.found != search.artifact_id:
        st.caption("It is among the artifacts on this page. In the shell:")
        st.code(f'--to "{search.target}"', language="shell", wrap_lines=True)


def by_depth(found: Sensitivity, *, dark: bool) -> charts.Chart:
    """Two lines over the depth: with all before it quantized, too, and each alone."""
    figure = go.Figure()
    for place, (name, values) in enumerate(
        (
            ("With all before it", [one.sqnr_db for one in found.layers]),
            ("Each alone", [one.alone_db for one in found.layers]),
        )
    ):
        colour = charts.paint(place, dark)
        figure.add_scatter(
            x=[one.depth for one in found.layers],
            y=values,
            name=name,
            mode="lines+markers",
            line={"color": colour, "width": 2, "dash": charts.DASHES[place]},
            marker={"color": colour, "symbol": charts.SYMBOLS[place], "size": 7},
            customdata=[html.escape(one.layer or one.node) for one in found.layers],
            hovertemplate="%{customdata}: %{y:.1f} dB<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title="Depth", nticks=8, showgrid=False)
    figure.update_yaxes(title="SQNR, dB", rangemode="tozero", nticks=6)
    table = found.table
    return charts.Chart(charts.laid_out(figure, 340), found.sentence, table)


def of_trials(search: Search, *, dark: bool) -> charts.Chart:
    """Every step as a point: how fast, and how good; the goal as a line."""
    figure = go.Figure()
    colour = charts.paint(0, dark)
    known = [one for one in search.trials if one.value is not None]
    figure.add_scatter(
        x=[one.milliseconds for one in known],
        y=[one.value for one in known],
        mode="markers+text",
        text=[str(len(one.excluded)) for one in known],
        textposition="top center",
        textfont={"size": 14, "color": charts.INK[dark]},
        name="Layers in float",
        marker={
            "color": colour,
            "size": _PX,
            "symbol": ["circle" if one.met else "circle-open" for one in known],
            "line": {"color": colour, "width": 2},
        },
        cliponaxis=False,
        hovertemplate="%{text} in float: %{y:.3~g}, %{x:.3~g} ms<extra></extra>",
    )
    limit = search.goal.limit
    figure.add_hline(limit, line={"dash": "dash", "color": charts.paint(1, dark), "width": 2})
    label, unit, *_ = _GOALS[search.goal.kind]
    figure.update_xaxes(title="A run, ms, roughly", rangemode="tozero", nticks=6)
    figure.update_yaxes(title=f"{label.partition(',')[0]}, {unit}", nticks=6)
    alt = (
        f"{search.sentence} Every try on {search.chosen_on}: filled marks meet the goal, the "
        f"dashed line at {limit:g} {unit}."
    )
    drawn = charts.laid_out(figure, 340)
    return charts.Chart(drawn, alt, search.table)
