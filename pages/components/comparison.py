"""Reports side by side: which ones, against which baseline, and what is drawn of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

import engine
from engine import Comparison, EngineError, Report
from pages.components import charts, forest, state
from pages.components.text import plain


@dataclass(frozen=True, slots=True)
class Drawn:
    """A comparison with its two charts, None where there is nothing to draw."""

    found: Comparison
    latency: charts.Chart | None
    ratios: charts.Chart | None


def picked() -> tuple[Report, ...]:
    """The reports of the address, in its order, beside the control that changes them."""
    known = {item.id: item for item in engine.list_reports()}
    found = []
    wanted = state.compared()
    if len(wanted) > engine.most_compared:
        st.warning(f"Of {len(wanted)} reports the first {engine.most_compared} are shown.")
    for id_ in wanted[: engine.most_compared]:
        try:
            found.append(engine.report(id_))
        except EngineError as error:
            st.warning(f"{plain(id_)}: {plain(str(error))}", icon=":material/help:")
    titles = {item.id: f"{item.title} ({item.created_at[:10]})" for item in known.values()}
    titles |= {one.id: f"{one.title} ({one.created_at[:10]})" for one in found}
    state.hold_compared([one.id for one in found])
    st.multiselect(
        "Reports",
        list(titles),
        format_func=lambda id_: titles[id_],
        key=state.COMPARED,
        on_change=state.keep_compared,
        max_selections=engine.most_compared,
        placeholder="Pick two or more",
    )
    return tuple(found)


def baseline(found: Comparison) -> None:
    """The control that says what the ratios are against; the address holds it."""
    names = dict(found.baselines)
    state.hold_baseline(found.baseline)
    st.selectbox(
        "Baseline, in every report its own",
        list(names),
        format_func=lambda key: names[key],
        key=state.BASELINE_CHOICE,
        on_change=state.keep_baseline,
    )


def kept(reports: Sequence[Report], chosen: str | None, *, dark: bool) -> Drawn:
    """The comparison, drawn in one theme. Raises EngineError for what cannot be compared."""
    content = tuple((one.id, charts.content(one)) for one in reports)
    return _kept(content, chosen, dark, tuple(reports))


@st.cache_resource(max_entries=16, show_spinner=False)
def _kept(content: object, chosen: str | None, dark: bool, _reports: tuple[Report, ...]) -> Drawn:
    found = engine.compare(_reports, chosen)
    ratios = None
    if found.forest is not None:
        ratios = forest.chart(found.forest, found.ratios, dark=dark)
    latency = charts.side_by_side(found, dark=dark) if found.rows else None
    return Drawn(found, latency, ratios)
