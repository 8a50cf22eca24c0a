"""Every variant against one: the choice of that one, the forest plot and the table beneath it."""

from __future__ import annotations

import streamlit as st

import engine
from engine import Against, Baseline, EngineError, Figures, Report
from pages.components import forest, state, table
from pages.components.text import plain


def show(report: Report, found: Figures, *, dark: bool) -> None:
    """The comparison; the address holds what it is against. Times and memory stay as they are."""
    against = _against(report, found)
    forest.show(against, report.id, dark=dark)
    table.grid(table.of_text(against.verdicts))
    st.caption(plain(against.verdicts.note))


def _against(report: Report, found: Figures) -> Against:
    """Against what the address says; against the original where it names nothing that is here."""
    key = state.baseline()
    try:
        chosen = engine.against(report, found.variants, key)
    except EngineError as error:
        st.warning(plain(f"{error.message} Shown against the original."), icon=":material/info:")
        chosen = engine.against(report, found.variants, None)
    known = engine.baselines(found.variants)
    if len(known) > 1:
        _selector(known, chosen.baseline)
    return chosen


def _selector(known: tuple[Baseline, ...], chosen: Baseline | None) -> None:
    keys = [one.key for one in known]
    names = {one.key: f"{one.name}, original" if one.is_original else one.name for one in known}
    default = next((one.key for one in known if one.is_original), None)
    state.hold_baseline(chosen.key if chosen else None)
    st.selectbox(
        "Compare against",
        keys,
        format_func=lambda key: names[key],
        key=state.BASELINE_CHOICE,
        on_change=state.keep_baseline,
        args=(default,),
        placeholder="The original was not measured",
    )
