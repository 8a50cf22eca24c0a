"""Convert: pick formats, watch them being made and checked, take them away."""

from __future__ import annotations

import streamlit as st

import engine
from engine import ConvertRequest, JobState, Model, Target
from pages.components import artifacts, data, job, passes, picker, shell, state, submission, trial
from pages.components import options as choosing
from pages.components.text import plain

shell.guard()


def form(model: Model) -> None:
    """Targets and options; submitting puts the job into the URL."""
    reach = {item.format: item for item in engine.reach_from(model.artifact)}
    labels = {name: spec.label for name, spec in engine.list_formats().items()}
    options = [name for name, item in reach.items() if item.reachable]
    if not options:
        st.warning("No format can be made from this model here. The reasons are below.")
        st.page_link(shell.page_path("measure"), label="Measure it as it is")
    else:
        with st.container(border=True):
            names = st.pills(
                "Formats to make",
                options,
                selection_mode="multi",
                default=[name for name in ("onnx", "torchscript") if name in options],
                format_func=lambda name: labels[name],
                key=state.TARGETS,
            )
            targets = passes.grid(model, choosing.targets(names))
            data_id = data.pick(model, targets)
            passes.forecast(model, targets, judged=data_id is not None)
            if st.button("Convert and verify", type="primary"):
                submit(model, targets, data_id)
    unreachable = [item for item in reach.values() if not item.reachable]
    if unreachable:
        with st.expander("Formats this model cannot reach here, and why"):
            for item in unreachable:
                st.markdown(f"**{labels.get(item.format, item.format)}**")
                st.text(item.reason)
    for name in engine.waitable(model.artifact):
        if st.button(f"Queue {labels[name]} for a host that has what it needs"):
            submit(model, (Target(name),), None, wait=True)


def submit(
    model: Model, targets: tuple[Target, ...], data_id: str | None, *, wait: bool = False
) -> None:
    """Queue the job and let the URL point at it."""
    if not targets:
        st.error("Pick at least one format, then convert.")
        return
    submission.queue(
        engine.submit_convert, ConvertRequest(model.id, targets, wait, data_id=data_id)
    )


shell.header("Convert", "Make the model in other formats, each checked against the original.")
model = picker.model()
form(model)

view = job.followed()
if view:
    failures = view.result.get("failures", {})
    for key, sentence in failures.items():
        label = engine.label_of(engine.parse_target(key))
        st.error(f"{plain(label)} was not made.", icon=":material/error:")
        st.text(sentence)
    for note in view.result.get("notes", ()):
        st.info(plain(note), icon=":material/info:")
    if view.state is JobState.DONE and not failures:
        st.success(job.ended_well(view), icon=":material/verified:")

made = engine.artifacts_of(model.id)
if made:
    st.subheader("Made from this model", anchor=False)
elif not view:
    st.info("Nothing has been made from this model yet.", icon=":material/info:")
for artifact, verification in made:
    artifacts.card(artifact, verification)
ready = any(found and found.verdict.usable for _, found in made)
if ready and st.button("Measure them on this machine", type="primary", icon=":material/timer:"):
    link = state.link(model=model.id, answers=state.answers())
    st.switch_page(shell.page_path("measure"), query_params=link)
trial.panel(model)
