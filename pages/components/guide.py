"""Pieces of the knowledge base as every page shows them: pitfalls, recipes, claims, ruled out."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import streamlit as st

import engine
from pages.components import state, table

PROMISED = "Published by others, for other machines. Assay measures whether it holds on this one."

_OUTCOMES = {
    "runs": "still runs",
    "misleads": "runs, and is not what it says",
    "fails": "no longer runs",
}


def leaf_details(walk: engine.Walk, leaf: engine.Leaf) -> None:
    """What there is to know about a recommendation beside its reason."""
    why_not, wrong, recipe, promised = st.tabs(["Why not others", "Pitfalls", "Recipe", "Claims"])
    with why_not:
        ruled_out(walk)
    with wrong:
        pitfall_list(p for p in engine.pitfalls() if p.id in leaf.pitfalls)
    with recipe:
        recipe_list(leaf.recipes)
    with promised:
        claim_list(c for c in engine.claims() if c.id in leaf.claims)


def ruled_out(walk: engine.Walk) -> None:
    """Every other format with the reason these answers give."""
    rows = [{"Format": no.label, "Why not": no.reason} for no in walk.rejected]
    table.show(rows)


def pitfall_list(found: Iterable[engine.Pitfall]) -> None:
    """What goes wrong and what to do, one entry each."""
    entries = [f"**{trap.title}.** {trap.what}  \n:gray[What to do:] {trap.do}" for trap in found]
    st.markdown("\n\n".join(entries))


def recipe_list(ids: Collection[str]) -> None:
    """The code of these recipes, ready to copy."""
    for recipe in engine.list_recipes():
        if recipe.id in ids:
            st.markdown(f"**{recipe.title}**")
            st.code(recipe.code.rstrip(), language=recipe.language)
            ran = "Run by Assay's tests." if recipe.unrun is None else f"Not run: {recipe.unrun}"
            about = [ran, f"Needs {', '.join(recipe.needs)}." if recipe.needs else ""]
            about.append(
                f"Changed since the founding document: {recipe.since}" if recipe.since else ""
            )
            st.caption(" ".join(part for part in about if part))


def snippet_list(found: Iterable[engine.Snippet]) -> None:
    """The founding document's own code, each block behind what became of it, drawn when opened."""
    titles = {recipe.id: recipe.title for recipe in engine.list_recipes()}
    for snippet in found:
        label = f"{snippet.section}: **{_OUTCOMES[snippet.outcome]}**"
        with st.expander(label, key=f"{state.SNIPPET}{snippet.id}", on_change="rerun") as box:
            if box.open:
                _snippet(snippet, "; ".join(titles[name] for name in snippet.recipes))


def _snippet(snippet: engine.Snippet, instead: str) -> None:
    st.markdown(snippet.now)
    if snippet.says:
        st.markdown(f"The tool's own words, with {snippet.seen}:")
        st.text(snippet.says)
    st.code(snippet.code.rstrip(), "bash" if snippet.language == "bash" else "python")
    since = f"Since {snippet.since}." if snippet.since else ""
    st.caption(f"{since} Recipes in its place: {instead}.".strip())


def claim_list(found: Iterable[engine.Claim]) -> None:
    """What is promised of a format, and that it is only promised so far."""
    claims = list(found)
    if not claims:
        st.markdown("The founding document promises no figures for this one.")
        return
    st.markdown(bullets(claim.text for claim in claims))
    st.caption(PROMISED)


def bullets(lines: Iterable[str]) -> str:
    """A Markdown list."""
    return "\n".join(f"- {line}" for line in lines)


def figure(row: engine.ReferenceRow, column: engine.ReferenceColumn) -> str:
    """One published figure with its unit."""
    value = row.values[column.id]
    return "not applicable" if value is None else f"{value:g} {column.unit}"
