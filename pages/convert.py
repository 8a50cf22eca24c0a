"""Convert: pick formats, watch them being made and checked, take them away."""

from __future__ import annotations

from typing import Literal

import streamlit as st

import engine
from engine import ConvertOptions, ConvertRequest, JobState, Model
from pages.components import artifacts, job, picker, shell, state, submission

shell.guard()

METHODS: dict[Literal["auto", "trace", "script"], str] = {
    "auto": "Let Assay decide",
    "trace": "Trace: record one run",
    "script": "Script: compile the Python, branches and loops included",
}


def form(model: Model) -> None:
    """Targets and options; submitting puts the job into the URL."""
    reach = {item.format: item for item in model.reach}
    labels = {name: spec.label for name, spec in engine.list_formats().items()}
    options = [name for name, item in reach.items() if item.reachable]
    if not options:
        st.warning("No format can be made from this model here. The reasons are below.")
        st.page_link(shell.page_path("measure"), label="Measure it as it is")
    else:
        with st.form("convert", border=True):
            targets = st.pills(
                "Formats to make",
                options,
                selection_mode="multi",
                default=[name for name in ("onnx", "torchscript") if name in options],
                format_func=lambda name: labels[name],
                key=state.TARGETS,
            )
            with st.expander("Options"):
                method = st.selectbox(
                    "How to make TorchScript",
                    list(METHODS),
                    format_func=METHODS.__getitem__,
                    help="Tracing records one run; a model that decides by its data needs script.",
                )
                opset = st.number_input(
                    "ONNX opset",
                    min_value=18,
                    max_value=24,
                    value=20,
                    help="The version of ONNX's operator set. 20 is read by every current runtime.",
                )
            if st.form_submit_button("Convert and verify", type="primary"):
                submit(model, tuple(targets), ConvertOptions(int(opset), method))
    unreachable = [item for item in reach.values() if not item.reachable]
    if unreachable:
        with st.expander("Formats this model cannot reach here, and why"):
            for item in unreachable:
                st.markdown(f"**{item.format}**")
                st.text(item.reason)


def submit(model: Model, targets: tuple[str, ...], options: ConvertOptions) -> None:
    """Queue the job and let the URL point at it."""
    if not targets:
        st.error("Pick at least one format, then convert.")
        return
    submission.queue(engine.submit_convert, ConvertRequest(model.id, targets, options))


shell.header("Convert", "Make the model in other formats, each checked against the original.")
model = picker.model()
form(model)

job_id = state.job_id()
if job_id:
    view = job.show(job_id)
    failures = view.result.get("failures", {})
    for target, sentence in failures.items():
        st.error(f"{engine.list_formats()[target].label} was not made.", icon=":material/error:")
        st.text(sentence)
    if view.state is JobState.DONE and not failures:
        st.success("Every format asked for was made and verified.", icon=":material/verified:")

made = engine.artifacts_of(model.id)
if made:
    st.subheader("Made from this model", anchor=False)
elif not job_id:
    st.info("Nothing has been made from this model yet.", icon=":material/info:")
for artifact, verification in made:
    artifacts.card(artifact, verification)
ready = any(found and found.verdict.usable for _, found in made)
if ready and st.button("Measure them on this machine", type="primary", icon=":material/timer:"):
    link = state.link(model=model.id, answers=state.answers())
    st.switch_page(shell.page_path("measure"), query_params=link)
