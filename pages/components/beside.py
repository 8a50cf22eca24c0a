"""Beside published figures: what is printed, next to what was measured, never in one series."""

from __future__ import annotations

import streamlit as st

from engine import Figures
from pages.components import charts, table
from pages.components.text import plain


def show(found: Figures, drawn: charts.Charts) -> None:
    """Each printed column of what was measured; those of another model on a click."""
    for index, printed in enumerate(found.references):
        title = f"Beside published figures: {printed.column}"
        if printed.same_model:
            st.subheader(title, anchor=f"reference-{index}")
            _draw(found, drawn, index)
            continue
        label = f"{title} (another model, {printed.model})"
        with st.expander(label, key=f"reference-{index}-open", on_change="rerun") as box:
            if box.open:
                _draw(found, drawn, index)


def _draw(found: Figures, drawn: charts.Charts, index: int) -> None:
    printed = found.references[index]
    model = "the same model" if printed.same_model else f"another model ({printed.model})"
    st.caption(
        plain(
            f"Reference, other machine: {printed.title}, with {model}. Each panel has a scale of "
            "its own; what compares is how the rows stand to the first one. "
            f"Source: {printed.source}."
        )
    )
    # A fold in a fold cannot be opened: what is folded itself shows its tables at once.
    behind = "The figures behind this chart" if printed.same_model else ""
    charts.draw(drawn.references[index], f"reference-{index}", behind=behind)
    st.text("\n".join(printed.sentences))
    if printed.same_model:
        table.folded("How comparable they are", printed.comparable, f"comparable-{index}")
    else:
        table.grid(table.of_text(printed.table))
        table.grid(table.of_text(printed.comparable))
