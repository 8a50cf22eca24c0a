"""One artifact as a card: what it is, its verdict with the figures, and its download."""

from __future__ import annotations

import streamlit as st

import engine
from engine import Artifact, Verdict, Verification
from pages.components import graph, language, layers, quality, slowness, state
from pages.components.text import plain

_BADGES = {
    Verdict.EXACT: ("Exact", ":material/verified:", "green"),
    Verdict.EQUIVALENT: ("Equivalent", ":material/verified:", "green"),
    Verdict.DEGRADED: ("Degraded but usable", ":material/warning:", "orange"),
    Verdict.BROKEN: ("Broken", ":material/dangerous:", "red"),
}


def megabytes(size: int) -> str:
    """Bytes for people: MB of 10⁶ bytes, kB below one."""
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.1f} kB"


def card(artifact: Artifact, verification: Verification | None) -> None:
    """Draw one artifact."""
    with st.container(border=True):
        label = engine.list_formats()[artifact.format].named(artifact)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(label)}** · {megabytes(artifact.size_bytes)}")
            _badge(verification)
            st.space("stretch")
            graph.of_artifact(artifact)
            if engine.importance_matrix(artifact):
                address = f"/api/v1/artifacts/{artifact.id}/importance-matrix"
                st.link_button(
                    "Importance matrix", address, icon=":material/weight:", type="tertiary"
                )
            if verification and verification.verdict.usable:
                st.link_button(
                    "Download",
                    f"/api/v1/artifacts/{artifact.id}",
                    icon=":material/download:",
                    type="tertiary",
                )
        if verification:
            st.text(verification.sentence)
            quality.of_artifact(artifact)
            if verification.language:
                language.figures(verification.language, verification.thresholds)
        for note in (note for step in artifact.lineage for note in step.notes):
            st.text(f"Note: {note}")
        _folds(artifact, verification)


def _folds(artifact: Artifact, verification: Verification | None) -> None:
    """What is behind the verdict, each drawn when it is opened."""
    made = f"{state.MADE}{artifact.id}"
    with st.expander("How it was made and checked", key=made, on_change="rerun") as box:
        if box.open:
            _lineage(artifact)
            if verification:
                _cases(verification)
    layers.fold(artifact)
    slowness.fold(artifact)
    report = engine.conversion_report(artifact)
    if report:
        said = f"{state.REPORTED}{artifact.id}"
        with st.expander("What the exporter reported", key=said, on_change="rerun") as box:
            if box.open:
                st.code(report, language=None, height=400)


def _badge(verification: Verification | None) -> None:
    if verification is None:
        st.badge("Not verified", icon=":material/help:", color="gray")
    else:
        label, icon, color = _BADGES[verification.verdict]
        st.badge(label, icon=icon, color=color)  # type: ignore[arg-type]  # a colour's name


def _lineage(artifact: Artifact) -> None:
    for step in artifact.lineage:
        options = ", ".join(f"{name} = {value}" for name, value in step.options.items())
        st.text(f"{step.verb}: {step.tool} {step.version} · {step.seconds:.1f} s · {options}")
    st.text(f"sha256 {artifact.sha256}")


def _cases(verification: Verification) -> None:
    import pandas as pd  # only here: 40 MiB, for whoever opens the cases

    rows = [
        {
            "Inputs": case.inputs,
            "Batch": case.batch,
            "Output": item.output,
            "Largest difference": item.max_abs,
            "Relative error": item.relative,
            "Original's own noise": item.noise_relative,
            "Cosine": item.cosine,
            "SQNR (dB)": item.sqnr_db,
            "Top-1 agrees": f"{item.top1_agree} of {item.top1_rows}" if item.top1_rows else "–",
            "NaN or infinite": item.nan_candidate + item.inf_candidate,
        }
        for case in verification.cases
        for item in case.outputs
    ]
    figures = ("Largest difference", "Relative error", "Original's own noise")
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={name: st.column_config.NumberColumn(format="%.2e") for name in figures},
    )
    for case in verification.cases:
        if case.error:
            st.text(f"{case.inputs}, batch {case.batch}: {case.error}")
    if verification.language:
        return  # judged by the text above
    limits = verification.thresholds
    st.caption(
        f"Equivalent: relative error at most {limits.equivalent_relative:g} or "
        f"{limits.noise_multiple:g} times the original's own noise. Usable: at most "
        f"{limits.degraded_relative:g}, with the top answer agreeing at least "
        f"{limits.degraded_top1:.0%}."
    )
