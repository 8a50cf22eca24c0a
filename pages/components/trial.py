"""Try it: a prompt for a language model, and the answer as it is written, with its speed."""

from __future__ import annotations

import streamlit as st

import engine
from engine import JobState, JobView, Model, NotFound, TryRequest
from pages.components import state, submission
from pages.components.text import plain

_EXAMPLE = "The river was quiet, and"
_POLL_S = 0.5


def panel(model: Model) -> None:
    """Draw it, where the model or something made from it writes text."""
    writers = _writers(model)
    if not writers:
        return
    st.subheader("Try it", anchor="try")
    request = _form(model, writers)
    if request:
        submission.queue(engine.submit_try, request, state.show_trial)
    trial = state.trial_id()
    if trial:
        _answer(trial)


def _writers(model: Model) -> dict[str, str]:
    """What can be tried, by id, under the names people know."""
    formats = engine.list_formats()
    made = (artifact for artifact, _ in engine.artifacts_of(model.id))
    return {
        artifact.id: formats[artifact.format].named(artifact)
        for artifact in (model.artifact, *made)
        if formats[artifact.format].writes_text and formats[artifact.format].available
    }


def _form(model: Model, writers: dict[str, str]) -> TryRequest | None:
    """The request of whoever pressed the button in this run."""
    with st.form("try", border=True):
        chosen = st.selectbox("Which one writes", list(writers), format_func=writers.__getitem__)
        prompt = st.text_area(
            "Prompt", _EXAMPLE, max_chars=TryRequest.LONGEST_PROMPT, height=96, key=state.PROMPT
        )
        most, warmth, seed = st.columns(3)
        tokens = most.number_input("Tokens at most", 1, TryRequest.MOST_TOKENS, 128)
        temperature = warmth.number_input(
            "Temperature",
            0.0,
            TryRequest.HIGHEST_TEMPERATURE,
            0.7,
            step=0.1,
            help="0 always takes the likeliest token; more takes others, too.",
        )
        number = seed.number_input(
            "Seed", 0, 2**31 - 1, 0, help="The same seed gives the same answer again."
        )
        if not st.form_submit_button("Write", type="primary", icon=":material/edit_note:"):
            return None
    return TryRequest(
        model.id, str(chosen), prompt, int(tokens), round(float(temperature), 3), int(number)
    )


def _answer(trial: str) -> None:
    """The answer, live until it is whole."""
    try:
        view = engine.job(trial)
    except NotFound as error:
        state.show_trial(None)
        st.warning(plain(error.message))
        return
    if view.state.ended:
        _whole(view)
        return
    st.fragment(_live, run_every=_POLL_S)(trial)
    if st.button("Stop", icon=":material/stop_circle:", key=f"cancel-{trial}"):
        engine.cancel(trial)
        st.rerun()


def _live(trial: str) -> None:
    view = engine.job(trial)
    if view.state.ended:
        st.rerun()
    _text(view)
    running = next((step for step in view.steps if step.state is JobState.RUNNING), None)
    said = (running.message if running else view.message) or "Waiting for its turn"
    st.progress(running.fraction or 0.0 if running else 0.0, text=plain(said))


def _whole(view: JobView) -> None:
    _text(view)
    if view.state is JobState.DONE:
        st.caption(_speed(view))
    elif view.state is JobState.CANCELLED:
        st.warning("Stopped.", icon=":material/cancel:")
    else:
        st.error(plain(view.message), icon=":material/error:")
        st.text(view.hint)


def _text(view: JobView) -> None:
    """A model's words are shown as they are: text, never markup."""
    written = str(view.result.get("text", ""))
    if written:
        with st.container(border=True):
            st.caption(f"After the prompt: {plain(str(view.result.get('prompt', '')))}")
            st.text(written)


def _speed(view: JobView) -> str:
    """How much was written, and how fast."""
    found = view.result
    said = [f"{found['tokens']:,} tokens after {found['prompt_tokens']:,} of prompt"]
    if found["first_s"] is not None:
        said.append(f"the first after {found['first_s']:.2f} s")
    if found["tokens_per_s"] is not None:
        said.append(f"then {found['tokens_per_s']:.1f} tokens/s")
    if found["tokens"] < found["most"]:
        said.append("ended by the model itself")
    return f"{', '.join(said)}. On this machine, as busy as it is; Measure has figures to rely on."
