"""How good artifacts are on real samples, in words."""

from __future__ import annotations

import streamlit as st

import engine
from engine import Artifact, Figures
from pages.components import table
from pages.components.text import plain


def of_artifact(artifact: Artifact) -> None:
    """Every data set it was judged on, a line each; nothing where there was none."""
    for found in engine.quality_of(artifact.id):
        st.markdown(f":material/target: {plain(engine.quality_sentence(found))}")
        if warning := engine.quality_warning(found):
            st.warning(plain(warning), icon=":material/warning:")


def in_report(found: Figures) -> None:
    """A report's artifacts on real samples, and on the text that every language model reads."""
    if found.quality:
        st.subheader("Quality", anchor="quality")
        for label, sentence, _ in found.quality.rows:
            st.markdown(f"**{plain(label)}** · {plain(sentence)}")
        st.caption(plain(found.quality.note))
    st.subheader("Numerics", anchor="numerics")
    if found.language:
        table.grid(table.of_text(found.language))
