"""Model: bring one, and see what it is, what goes in and out, and where it can go."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

import engine
from engine import ImportRequest, JobState, Model, NotFound
from pages.components import anatomy, bring, graph, job, shell, state, submission, trial
from pages.components.text import plain

shell.guard()


def submit(request: ImportRequest) -> None:
    """Queue the job, remembering how this session brought the model."""
    st.session_state[state.SOURCE] = request
    submission.queue(engine.submit_import, request)


def follow(job_id: str) -> None:
    """Show the job; when it has recognised a model, go over to that model."""
    view = job.show(job_id)
    if not view.state.ended:
        st.stop()
    found = view.result.get("model_id")
    if view.state is JobState.DONE and found:
        source = st.session_state.get(state.SOURCE)
        st.session_state[state.SOURCE_OF] = (found, source)
        state.show_job(None)
        state.show_model(found)
        st.rerun()


def source_of(model: Model) -> ImportRequest | None:
    """How this session brought the model; None for somebody else's."""
    found, source = st.session_state.get(state.SOURCE_OF, (None, None))
    return source if found == model.id and source and source.origin != "sample" else None


def current() -> Model | None:
    """The model in the URL; a link to one that is gone says so."""
    wanted = state.model_id()
    if not wanted:
        return None
    try:
        return engine.model(wanted)
    except NotFound as error:
        state.show_model(None)
        st.warning(plain(error.message))
        return None


def show(model: Model) -> None:
    """Everything about the model, and the one next step."""
    anatomy.summary(model)
    if model.barred:
        anatomy.barred(model)
        return
    if st.button("Convert this model", type="primary", icon=":material/conversion_path:"):
        link = state.link(model=model.id, answers=state.answers())
        st.switch_page(shell.page_path("convert"), query_params=link)
    left, right = st.columns([3, 2], gap="large")
    source = source_of(model)
    with left:
        changed = anatomy.signature_of(model, editable=source is not None)
        anatomy.operators(model)
        graph.of_model(model)
    with right:
        anatomy.reach(model)
        anatomy.facts(model)
    anatomy.listings(model)
    if changed and source:
        submit(replace(source, signature=changed))
    trial.panel(model)


shell.header("Model", "Bring a model; see what it is, and which formats it can reach.")
job_id = state.job_id()
if job_id:
    try:
        follow(job_id)
    except NotFound as error:
        state.show_job(None)
        st.warning(plain(error.message))
model = None if job_id else current()
if model:
    show(model)
    st.space("medium")
    request = bring.another()
else:
    request = bring.choices()
if request:
    submit(request)
