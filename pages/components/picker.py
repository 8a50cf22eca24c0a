"""Which model a page is about: the one in the URL, or a choice among those brought."""

from __future__ import annotations

import streamlit as st

import engine
from engine import Model, NotFound
from pages.components import shell, state
from pages.components.text import plain


def model() -> Model:
    """The model of this page; where there is none the page stops and says where to go."""
    known = engine.list_models()
    wanted = state.model_id()
    if wanted and all(item.id != wanted for item in known):
        try:
            known = (engine.model(wanted), *known)
        except NotFound as error:
            state.show_model(None)
            st.warning(plain(str(error)))
    if not known:
        st.info("No model has been brought yet.", icon=":material/info:")
        st.page_link(
            shell.page_path("model"), label="Bring a model", icon=":material/deployed_code:"
        )
        st.stop()
    ids = [item.id for item in known]
    by_id = {item.id: item for item in known}
    chosen = st.selectbox(
        "Model",
        ids,
        index=ids.index(wanted) if wanted in ids else 0,
        format_func=lambda id_: f"{by_id[id_].name} ({by_id[id_].created_at[:10]})",
    )
    state.show_model(chosen)
    if by_id[chosen].barred:
        st.warning(plain(by_id[chosen].barred), icon=":material/block:")
        st.page_link(shell.page_path("model"), label="Look at what is in it")
        st.stop()
    return by_id[chosen]
