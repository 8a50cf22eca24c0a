"""Choose: one question at a time to a format, with reasons; every step is a link."""

from __future__ import annotations

import streamlit as st

import engine
from pages.components import guide, shell, state, tree
from pages.components.text import plain

shell.guard()
walk = engine.walk(state.answers_in_url())


def loaded() -> engine.Model | None:
    """The model looked at last, if there still is one."""
    wanted = state.model_id()
    if wanted is None:
        return None
    try:
        return engine.model(wanted)
    except engine.NotFound as error:
        state.show_model(None)
        st.warning(plain(str(error)))
        return None


def back() -> None:
    """Take back the last answer."""
    state.show_answers(dict(list(walk.answers.items())[:-1]))


def go_to(question: str) -> None:
    """Take back that answer and all after it."""
    kept = list(walk.answers)[: list(walk.answers).index(question)]
    state.show_answers({id: walk.answers[id] for id in kept})


def answer(question: str) -> None:
    """Keep the chosen answer and go on."""
    state.show_answers({**walk.answers, question: state.choice(question)})


def ask(question: engine.Question) -> None:
    """One question with its answers, Back and Continue."""
    ids = [one.id for one in question.answers]
    model = loaded()
    known = engine.answers_for(model).get(question.id) if model else None
    st.subheader(question.ask, anchor=False)
    chosen = st.radio(
        question.ask,
        ids,
        index=ids.index(known) if known in ids else None,
        format_func=lambda id: next(one.label for one in question.answers if one.id == id),
        captions=[one.sentence for one in question.answers],
        key=state.choice_key(question.id),
        label_visibility="collapsed",
    )
    if model and known in ids:
        st.caption(f"Filled in from {model.name} and this machine. Change it if that is wrong.")
    with st.container(horizontal=True):
        st.button(
            "Continue",
            type="primary",
            disabled=chosen is None,
            on_click=answer,
            args=(question.id,),
        )
        if walk.path:
            st.button("Back", on_click=back)
    st.markdown(f":gray[**Why we ask.** {question.why}]")
    if walk.rejected:
        with st.expander(f"Ruled out so far: {', '.join(no.label for no in walk.rejected)}"):
            guide.ruled_out(walk)


def recommend(leaf: engine.Leaf) -> None:
    """The recommendation, why, and what to do with it."""
    st.badge("Recommended", icon=":material/check:", color="green")
    st.header(leaf.title, anchor=False)
    st.markdown(f"**{leaf.recommendation}**")
    st.markdown(leaf.why)
    for note in leaf.notes:
        st.info(note, icon=":material/update:")
    with st.container(horizontal=True):
        if st.button("Prove it on my model", type="primary", icon=":material/science:"):
            plan = state.link(model=state.model_id(), answers=walk.answers)
            st.switch_page(shell.page_path("model"), query_params=plan)
        st.download_button(
            "Save the decision",
            engine.export_decision(walk),
            file_name=f"{leaf.id}.md",
            mime="text/markdown",
            on_click="ignore",
        )
        st.button("Back", on_click=back)


shell.header("Which format should this model be deployed in?", shell.WHAT_IT_IS)
with st.container(horizontal=True):
    st.page_link(shell.page_path("model"), label="Bring a model", icon=":material/upload:")
    st.page_link(shell.page_path("reports"), label="See results", icon=":material/folder_open:")
tree.crumbs(walk, go_to)
left, right = st.columns([5, 6], gap="large")
with left:
    if walk.leaf:
        recommend(walk.leaf)
    elif walk.question:
        ask(walk.question)
with right:
    tree.draw(walk)
if walk.leaf:
    guide.leaf_details(walk, walk.leaf)
