"""Beside the founding document: what it prints, next to what was measured, never in one series."""

from __future__ import annotations

import streamlit as st

from engine import Figures
from pages.components import charts, table


def show(found: Figures, drawn: charts.Charts) -> None:
    """Each printed table that has something of this model's kind."""
    for index, printed in enumerate(found.references):
        st.subheader("Beside the founding document", anchor=f"reference-{index}")
        model = "the same model" if printed.same_model else f"another model ({printed.model})"
        st.caption(
            f"Reference, other machine: {printed.title}, with {model}. Each panel has a scale of "
            "its own; what compares is the speed against the first row."
        )
        charts.draw(drawn.references[index], f"reference-{index}")
        st.text("\n".join(printed.sentences))
        if printed.comparable:
            table.folded("How comparable they are", printed.comparable, f"comparable-{index}")
