"""The decision tree as a picture, with the walked path lit, and as text for those who read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from textwrap import wrap

import graphviz
import streamlit as st

import engine
from pages.components import state

FONT = "Helvetica"
"""Known to the layout, so that boxes fit; the page's own font is what is seen."""
LINE = 15
"""Letters a line in a box: short lines keep the picture narrow enough for a telephone."""
UNKNOWN = "unknown"
"""The answer behind which the second half of the tree lies."""


@dataclass(frozen=True, slots=True)
class Ink:
    """The colours of one theme: all text at least 4.5:1, all lines at least 3:1."""

    text: str
    quiet: str
    line: str
    lit: str
    lit_fill: str


LIGHT = Ink(text="#1B1F24", quiet="#5B6570", line="#8A949E", lit="#0B6E75", lit_fill="#E3F1F2")
DARK = Ink(text="#E6E8EB", quiet="#A3ADB8", line="#6F7A85", lit="#6CCBD1", lit_fill="#123A3D")


@dataclass(frozen=True, slots=True)
class Edge:
    """One answer in the picture."""

    source: str
    target: str
    label: str
    lit: bool


def draw(walk: engine.Walk) -> None:
    """The picture, and under it the same as nested text."""
    st.graphviz_chart(picture(walk), width="content", alt=sentence(walk))
    with st.expander("The same as text"):
        st.markdown("\n".join(outline(walk)))


def crumbs(walk: engine.Walk, go_to: Callable[[str], None]) -> None:
    """The answers so far; pressing one goes back to its question, which ``go_to`` is given."""
    if not walk.path:
        return
    with st.container(horizontal=True, gap="xsmall"):
        for step in walk.path:
            st.button(
                f"{step.question.topic.rstrip('?')}: {step.answer.short}",
                key=state.crumb_key(step.question.id),
                on_click=go_to,
                args=(step.question.id,),
                type="tertiary",
                icon=":material/check:",
                help="Change this answer",
            )
        first = walk.path[0].question.id
        st.button(
            "Start again", on_click=go_to, args=(first,), type="tertiary", icon=":material/replay:"
        )


def sentence(walk: engine.Walk) -> str:
    """The picture in one sentence, for a screen reader."""
    steps = "; ".join(f"{step.question.ask} {step.answer.label}" for step in walk.path)
    end = f"Recommended: {walk.leaf.title}." if walk.leaf else "Not decided yet."
    return f"Decision tree. {steps or 'Nothing answered yet'}. {end}"


def outline(walk: engine.Walk) -> Iterator[str]:
    """The walked path as a nested Markdown list, with the answers not taken."""
    for depth, step in enumerate(walk.path):
        others = "; ".join(a.label for a in step.question.answers if a.id != step.answer.id)
        yield f"{'  ' * depth}- {step.question.ask} **{step.answer.label}** (not: {others})"
    indent = "  " * len(walk.path)
    if walk.leaf:
        yield f"{indent}- Recommended: **{walk.leaf.title}**"
    elif walk.question:
        choices = "; ".join(one.label for one in walk.question.answers)
        yield f"{indent}- {walk.question.ask} *open: {choices}*"


def edges(walk: engine.Walk) -> tuple[Edge, ...]:
    """The founding tree whole; behind "I don't know" the way walked and what is open now."""
    tree = engine.decision_tree()
    taken = walk.answers
    is_founding = taken.get(tree.root) != UNKNOWN
    whole = _founding(tree) if is_founding else {walk.question.id} if walk.question else set()
    return tuple(
        Edge(question.id, answer.leads_to, answer.short, taken.get(question.id) == answer.id)
        for question in tree.questions
        for answer in question.answers
        if question.id in whole or taken.get(question.id) == answer.id
    )


def picture(walk: engine.Walk) -> graphviz.Digraph:
    """The picture in the colours of the theme that is on: each answer in the box it leads to.

    The founding tree grows to the right, and the other half downwards.
    """
    ink = DARK if st.context.theme.type == "dark" else LIGHT
    is_founding = walk.answers.get(engine.decision_tree().root) != UNKNOWN
    graph = graphviz.Digraph(
        graph_attr={
            "rankdir": "LR" if is_founding else "TB",
            "bgcolor": "transparent",
            "nodesep": "0.1",
            "ranksep": "0.3",
        },
        node_attr={"fontname": FONT, "fontsize": "12", "margin": "0.08,0.05", "height": "0.3"},
        edge_attr={"arrowsize": "0.6"},
    )
    shown = edges(walk)
    for node in dict.fromkeys(id for edge in shown for id in (edge.source, edge.target)):
        answers = [edge.label for edge in shown if edge.target == node]
        graph.node(node, **_node(node, " or ".join(answers), walk, ink))
    for edge in shown:
        graph.edge(
            edge.source,
            edge.target,
            color=ink.lit if edge.lit else ink.line,
            penwidth="3" if edge.lit else "1",
        )
    return graph


def _founding(tree: engine.Tree) -> set[str]:
    root = tree.question(tree.root)
    answers = root.answers if root else ()
    return {tree.root} | {one.leads_to for one in answers if one.id != UNKNOWN}


def _node(id: str, answer: str, walk: engine.Walk, ink: Ink) -> dict[str, str]:
    tree = engine.decision_tree()
    leaf, question = tree.leaf(id), tree.question(id)
    name = leaf.title if leaf else question.topic if question else id
    is_lit = id in walk.nodes
    is_open = walk.question is not None and walk.question.id == id
    lines = [*_short(f"{answer}:" if answer else ""), *_short(name)]
    style = ["filled" if is_lit else "solid", *(["rounded"] if leaf is None else [])]
    return {
        "label": "\n".join(lines),
        "shape": "box",
        "style": ",".join([*style, *(["dashed"] if is_open else [])]),
        "fillcolor": ink.lit_fill,
        "color": ink.lit if is_lit else ink.line,
        "fontcolor": ink.text if is_lit else ink.quiet,
        "penwidth": "2.6" if is_lit else "1",
    }


def _short(text: str) -> list[str]:
    return wrap(text, LINE, break_long_words=False, break_on_hyphens=False)
