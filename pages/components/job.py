"""A job as it happens: its steps, how far it is, cancel, and the end in words."""

from __future__ import annotations

import streamlit as st

import engine
from engine import JobState, JobView, NotFound
from pages.components import state
from pages.components.text import plain

_MARKS = {
    JobState.DONE: ":material/check_circle:",
    JobState.RUNNING: ":material/pending:",
    JobState.QUEUED: ":material/radio_button_unchecked:",
    JobState.FAILED: ":material/error:",
    JobState.CANCELLED: ":material/cancel:",
}
_LOOKED = "What was found stands on its card below."
_DONE = {
    "data": "The data is ready, and picked above.",
    "convert": "Every format asked for was made and verified.",
    "explain": _LOOKED,
    "layers": _LOOKED,
    "exclude": _LOOKED,
}
# While something is measured the page asks less often, so that it does not disturb the figures.
_POLL_S = {"measure": 3.0}


def followed() -> JobView | None:
    """The job in the URL, drawn; one that is not there, or somebody else's, is said and left."""
    wanted = state.job_id()
    if wanted is None:
        return None
    try:
        return show(wanted)
    except NotFound as error:
        state.show_job(None)
        st.warning(plain(error.message))
        return None


def show(job_id: str) -> JobView:
    """Draw a job, live until it ends; gives its state as of this run of the page."""
    view = engine.job(job_id)
    if view.state.ended:
        _draw_end(view)
        return view
    st.fragment(_draw_live, run_every=_POLL_S.get(view.kind, 1.0))(job_id)
    if st.button("Cancel", icon=":material/stop_circle:", key=f"cancel-{job_id}"):
        engine.cancel(job_id)
        st.rerun()
    others = "" if engine.login() else " The address of this page shows it to a colleague."
    st.caption(f"This goes on when you close the tab.{others}")
    return view


def ended_well(view: JobView) -> str:
    """What a job that is done has come to, in a sentence."""
    return _DONE.get(view.kind, "Done.")


def _draw_live(job_id: str) -> None:
    view = engine.job(job_id)
    if view.state.ended:
        st.rerun()
    with st.container(border=True):
        st.markdown(f"**{plain(view.title)}**")
        if view.message:
            st.text(view.message)
        _draw_steps(view)
        _draw_log(view)


def _draw_end(view: JobView) -> None:
    """A quiet line for success; a sentence, a next step and the log for anything else."""
    if view.state is JobState.DONE:
        return
    cancelled = view.state is JobState.CANCELLED
    draw = st.warning if cancelled else st.error
    draw(plain(view.message or view.state.value), icon=_MARKS[view.state])
    if view.hint:
        st.text(view.hint)
    with st.expander("What happened, step by step"):
        _draw_steps(view)
        _draw_log(view)


def _draw_steps(view: JobView) -> None:
    for step in view.steps:
        seconds = f" · {step.seconds:.1f} s" if step.seconds >= 0.05 else ""
        st.markdown(f"{_MARKS[step.state]} {plain(step.label)}{seconds}")
        if step.state is JobState.RUNNING:
            st.progress(step.fraction or 0.0, text=plain(step.message) or "Starting")
        elif step.state is JobState.FAILED and step.message:
            st.text(step.message)


def _draw_log(view: JobView) -> None:
    if view.log_tail:
        with st.expander("Log", expanded=False):
            st.code(view.log_tail, language=None, height=200)
