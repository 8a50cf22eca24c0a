"""Measure: pick artifacts, batch sizes and how long; watch the samples arrive."""

from __future__ import annotations

import streamlit as st

import engine
from engine import JobState, MeasureRequest, Model
from pages.components import extent, job, live, picker, shell, state, submission

shell.guard()

PRESETS = {
    "quick": "5 rounds, about a minute. Enough to see differences of 10 % and more.",
    "standard": "12 rounds, or 8 when nothing is open; some minutes. The default for a decision.",
    "rigorous": "24 rounds and a control that tells the noise of this machine. To publish.",
}


def form(model: Model) -> None:
    """What to measure and how; submitting puts the job into the URL."""
    pairs = engine.artifacts_of(model.id)
    formats = engine.list_formats()
    labels = {artifact.id: formats[artifact.format].named(artifact) for artifact, _ in pairs}
    ready = [artifact.id for artifact, found in pairs if found and found.verdict.usable]
    alone = not any(item.reachable for item in engine.reach_from(model.artifact))
    if not ready and not alone:
        st.info("No verified artifact of this model is here yet.", icon=":material/info:")
        st.page_link(shell.page_path("convert"), label="Convert it first")
        return
    if alone:
        st.info("No other format is made from this model here: it is measured alone.")
    with st.form("measure", border=True):
        chosen = (
            []
            if alone
            else st.pills(
                "Artifacts, beside the original",
                ready,
                selection_mode="multi",
                default=ready,
                format_func=lambda id_: f"{labels[id_]} ({id_[:6]})",
                key=state.ARTIFACTS,
            )
        )
        preset = st.radio(
            "How long",
            list(PRESETS),
            format_func=str.capitalize,
            captions=list(PRESETS.values()),
            horizontal=False,
        )
        with st.expander("Batch sizes and threads"):
            batches, threads, alone_too = extent.machine()
        with st.expander("Also find out"):
            studies, prompt_tokens = extent.beside(model)
        if st.form_submit_button("Measure", type="primary"):
            if not (chosen or alone) or not batches:
                st.error("Pick at least one artifact and one batch size.")
                return
            request = MeasureRequest(
                model_id=model.id,
                artifact_ids=tuple(chosen),
                preset=preset,
                batches=tuple(sorted(batches)),
                threads=threads,
                one_thread_too=alone_too,
                studies=studies,
                prompt_tokens=prompt_tokens,
                advice=engine.advice_for(model, state.answers()),
                failures={
                    artifact.target.key: found.sentence
                    for artifact, found in pairs
                    if found and not found.verdict.usable
                },
            )
            submission.queue(engine.submit_measure, request)


shell.header(
    "Measure",
    "Latency, throughput and memory on this machine, in fresh processes and interleaved rounds.",
)
model = picker.model()
view = job.followed()
if view and not view.state.ended:
    live.show(view.id)
else:
    if view and view.state is JobState.DONE:
        st.success("Measured.", icon=":material/check_circle:")
        if st.button("Open the report", type="primary", icon=":material/lab_profile:"):
            link = state.link(report=view.result["report_id"])
            st.switch_page(shell.page_path("report"), query_params=link)
    form(model)
