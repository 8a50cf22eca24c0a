"""Why an artifact is not faster: a fold on its card, with the evidence and a way to look for it."""

from __future__ import annotations

import html

import plotly.graph_objects as go
import streamlit as st

import engine
from engine import Artifact, ExplainRequest, Explanation
from pages.components import charts, state, submission
from pages.components.text import plain

_PATTERNS = ("", "x", "/", ".", "-", "\\")
_HEIGHT_PX = 96


def fold(artifact: Artifact) -> None:
    """What the last look found, in sentences; a button looks (again)."""
    label = "Why is it not faster?" if artifact.passes else "Where does the time go?"
    key = f"{state.SLOWNESS}{artifact.id}"
    with st.expander(label, key=key, on_change="rerun") as box:
        if not box.open:
            return
        found = engine.explanation_of(artifact.id)
        if found is None:
            st.caption(
                "It is run under its runtime's profiler, beside what it was made from, and this "
                "machine's limits are measured: about half a minute, alone on the machine."
            )
        else:
            _found(found, artifact.id)
        again = "Find out" if found is None else "Look again"
        if st.button(again, icon=":material/query_stats:", key=f"{key}-look"):
            request = ExplainRequest(state.model_id() or "", artifact.id)
            submission.queue(engine.submit_explain, request)


def _found(found: Explanation, artifact_id: str) -> None:
    st.markdown("\n".join(f"- {plain(sentence)}" for sentence in found.sentences))
    if found.profile is None:
        return
    st.caption("Where the time of one run goes, in milliseconds; shorter is faster.")
    charts.draw(chart(found, dark=st.context.theme.type == "dark"), f"time-{artifact_id}")


def chart(found: Explanation, *, dark: bool) -> charts.Chart:
    """One bar an artifact, made of what the time went to."""
    figure = go.Figure()
    profiles = [one for one in (found.profile, found.baseline) if one is not None]
    kinds = [one.by_kind for one in profiles]
    for place, (kind, _) in enumerate(kinds[0]):
        spent = [row[place][1] for row in kinds]
        if not any(spent):
            continue
        figure.add_bar(
            x=spent,
            y=list(range(len(profiles))),
            orientation="h",
            width=0.36,
            name=kind,
            marker={
                "color": charts.paint(place, dark),
                "pattern": {"shape": _PATTERNS[place], "size": 6, "solidity": 0.2},
            },
            hovertemplate="%{x:.3~g} ms<extra>%{fullData.name}</extra>",
        )
    for at, one in enumerate(profiles):
        figure.add_annotation(
            x=0,
            y=at - 0.24,
            text=f"{html.escape(one.label)}  <b>{one.milliseconds:.3g} ms</b>",
            showarrow=False,
            xanchor="left",
            yanchor="bottom",
            font={"size": 14, "color": charts.INK[dark]},
        )
    figure.update_layout(barmode="stack")
    figure.update_yaxes(visible=False, range=[len(profiles) - 0.6, -0.75])
    figure.update_xaxes(rangemode="tozero", zeroline=False, nticks=5)
    height = _HEIGHT_PX * len(profiles) + 90
    said = "; ".join(
        f"{one.label} {one.milliseconds:.3g} ms, of it "
        + ", ".join(f"{kind} {ms:.3g} ms" for kind, ms in row if ms)
        for one, row in zip(profiles, kinds, strict=True)
    )
    drawn = charts.laid_out(figure, height, legend=True)
    return charts.Chart(drawn, f"Time of one run. {said}.", found.table)
