"""A model's graph: nodes, shapes and types, searched and folded, in a viewer of its own."""

from __future__ import annotations

import streamlit as st

import engine
from engine import Artifact, Model
from pages.components import state

_HEIGHT_PX = 560


def of_model(model: Model) -> None:
    """The graph on the page, drawn when it is asked for: the viewer loads the whole file."""
    st.subheader("Graph", anchor=False)
    refused = engine.viewable(model.artifact)
    if refused:
        st.text(refused)
        _of_made(model)
        return
    address = _address("model", model.id)
    with st.container(horizontal=True, vertical_alignment="center"):
        shown = st.toggle("Show the graph", key=f"{state.GRAPH}{model.id}")
        st.link_button("Open in a tab of its own", address, icon=":material/open_in_new:")
    if shown:
        st.iframe(address, height=_HEIGHT_PX, alt=f"The graph of {model.name}, in a viewer")
        st.caption(
            "Netron, served from this machine; the model goes nowhere else. Ctrl+F searches, a "
            "click on a node shows its types and shapes, the menu hides attributes and weights. "
            "Functions and subgraphs are picked at its foot."
        )


def of_artifact(artifact: Artifact) -> None:
    """A link to the graph of something that was made."""
    if engine.viewable(artifact) is None:
        address = _address("artifact", artifact.id)
        st.link_button("Graph", address, icon=":material/account_tree:", type="tertiary")


def _of_made(model: Model) -> None:
    """Links to the graphs of what was made from it, each named by its format."""
    formats = engine.list_formats()
    with st.container(horizontal=True):
        for artifact, _ in engine.artifacts_of(model.id):
            if engine.viewable(artifact) is None:
                label = f"Graph as {formats[artifact.format].named(artifact)}"
                address = _address("artifact", artifact.id)
                st.link_button(label, address, icon=":material/account_tree:")


def _address(kind: str, key: str) -> str:
    """The viewer's address, in the look of this page."""
    theme = st.context.theme.type
    return f"/viewer/{kind}/{key}/" + (f"?theme={theme}" if theme else "")
