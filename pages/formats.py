"""Formats: what each is good for and what it is not, the recipes, and the published figures."""

from __future__ import annotations

import streamlit as st

import engine
from pages.components import guide, shell, state, table

shell.guard()
guides = engine.format_guides()


def comparison() -> None:
    """All formats side by side; the ratings are the founding document's."""
    rows = [
        {
            "Format": one.label,
            "Best for": one.best_for,
            **(one.stars.in_words if one.stars else dict.fromkeys(RATINGS, "not rated")),
        }
        for one in guides
    ]
    table.show(rows)
    st.caption("Ratings from Assay's founding document: opinions to start from, not measurements.")


def detail(one: engine.FormatGuide) -> None:
    """One format, whole."""
    st.header(f"{one.label}: {one.best_for}", anchor=False)
    st.markdown(one.sentence)
    if one.successor:
        st.warning(one.status, icon=":material/history:")
    else:
        st.markdown(f"**Today.** {one.status}")
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Good for", anchor=False)
        st.markdown(guide.bullets(one.use_cases))
        st.subheader("Gains", anchor=False)
        st.markdown(guide.bullets(one.benefits))
        st.subheader("Limits", anchor=False)
        st.markdown(guide.bullets(one.limits))
    with right:
        st.subheader("Facts", anchor=False)
        facts = [{"What": name, "How": value} for name, value in one.specifications.items()]
        table.show(facts)
        st.subheader("Claims to test", anchor=False)
        guide.claim_list(c for c in engine.claims() if c.format == one.name)
    st.subheader("Pitfalls", anchor=False)
    guide.pitfall_list(p for p in engine.pitfalls() if p.format == one.name)
    st.subheader("Recipes", anchor=False)
    guide.recipe_list(one.recipes)


def published(given: engine.ReferenceTable) -> None:
    """One published table, marked as somebody else's."""
    st.markdown(f"**{given.title}** :gray-badge[published, other machine]")
    rows = [
        {"": row.label, **{column.label: guide.figure(row, column) for column in given.columns}}
        for row in given.rows
    ]
    table.show(rows)
    known = [f"batch {given.batch}" if given.batch else "", given.note, f"Source: {given.source}."]
    if given.sequence:
        known.insert(0, f"sequence {given.sequence}")
    st.caption(" · ".join(part for part in known if part))


RATINGS = next(one.stars for one in guides if one.stars).in_words

shell.header("Formats", "What each one is good for, what it is not, and how to make it today.")
comparison()
chosen = state.show_format([one.name for one in guides])
st.radio(
    "Read about",
    [one.name for one in guides],
    format_func={one.name: one.label for one in guides}.__getitem__,
    horizontal=True,
    key=state.FORMAT_CHOICE,
    on_change=state.keep_format,
)
for one in guides:
    if one.name == chosen:
        detail(one)
st.header("The founding document's own code", anchor=False)
st.markdown("Each of its code blocks, run again with the versions that Assay installs.")
guide.snippet_list(engine.list_snippets())
st.header("Published figures", anchor=False)
st.markdown("To compare your own measurements with. Reports show them beside yours.")
for given in engine.reference_tables():
    published(given)
