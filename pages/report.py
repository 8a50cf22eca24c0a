"""Report: one measured result, by its id or by a share link."""

from __future__ import annotations

import streamlit as st

import engine
from engine import EngineError, Figures, Report
from pages.components import (
    beside,
    charts,
    quality,
    sections,
    sharing,
    shell,
    state,
    table,
    tradeoff,
    verdicts,
)
from pages.components.text import plain

shell.guard()

OUTCOMES = {
    "confirmed": ("green", ":material/verified:"),
    "contradicted": ("red", ":material/report:"),
    "not decided": ("gray", ":material/help:"),
}
BOTH = "The figures behind both charts"


def load() -> Report:
    """The report of the URL; where there is none the page stops and says where to go."""
    token, report_id = state.share_token(), state.report_id()
    try:
        if token:
            return engine.shared(token)
        if report_id:
            return engine.report(report_id)
        shell.header("Report")
        st.info("No report is named in this address.", icon=":material/info:")
    except EngineError as error:
        shell.header("Report")
        st.error(plain(error.message), icon=":material/error:")
        st.text(error.hint)
    st.page_link(shell.page_path("reports"), label="Every report kept here")
    st.stop()


def verdict(found: Figures) -> None:
    """What the measurement says of the recommendation, and what to know before believing it."""
    if claim := found.recommendation:
        color, icon = OUTCOMES[claim.outcome]
        st.badge(f"Recommendation {claim.outcome}", icon=icon, color=color)  # type: ignore[arg-type]  # a colour's name
        st.text(claim.sentence)
    if found.warnings:
        st.caption("\n\n".join(map(plain, found.warnings)))
    for name, why in found.failures.items():
        st.warning(f"**{plain(name)}** · {plain(why)}", icon=":material/warning:")


def measured(found: Figures, drawn: charts.Charts) -> None:
    """The comparison: table first, then latency, reference, memory, and how the run went."""
    verdicts.show(report, found, dark=dark)
    st.subheader("Latency", anchor="latency")
    st.caption("Median of all inferences; the whisker is the 95 % interval. Shorter is faster.")
    charts.draw(drawn.latency, "latency", behind="")
    st.caption("Share of inferences that took at most so long. Left is faster, steep is steady.")
    charts.draw(drawn.distribution, "distribution", behind=BOTH)
    beside.show(found, drawn)
    st.subheader("Claims, checked", anchor="claims")
    st.caption("What the founding document promises, held against this measurement.")
    table.folded("Every claim", found.promise_table, "claims")
    st.subheader("Memory and size", anchor="memory")
    st.caption("Peak memory above a process that only imports the framework.")
    charts.draw(drawn.memory, "memory", behind="")
    st.caption("File on the disk.")
    charts.draw(drawn.sizes, "sizes", behind=BOTH)
    st.subheader("From start to first answer", anchor="start")
    table.grid(table.of_text(found.start))
    sections.show(found.sections, report.id, dark=dark)


def numerics(found: Figures) -> None:
    """How each artifact was judged against the original."""
    quality.in_report(found)
    for index, judged in enumerate(found.verifications):
        st.markdown(f"**{plain(judged.label)}** · {judged.verdict}")
        st.text(judged.sentence)
        table.folded(f"Every case of {plain(judged.label)}", judged.table, f"cases-{index}")


report = load()
dark = st.context.theme.type == "dark"
found, drawn = charts.kept(report, dark=dark)
shell.header(plain(report.title), plain(found.headline))
sharing.take_away(report, own=state.share_token() is None and engine.report_summary(report.id).own)
verdict(found)
if drawn:
    tradeoff.show(found, report.id, dark=dark)
    measured(found, drawn)
numerics(found)
if drawn:
    st.subheader("The run", anchor="run")
    st.caption("Each process's median, as it ran; hollow marks belong to discarded rounds.")
    charts.draw(drawn.order, "order")
for listed in (*found.environment, found.lineage):
    table.folded(listed.caption, listed, f"table-{listed.caption}")
st.subheader("Repeat it", anchor="repeat")
st.code(report.reproduce, language="shell", wrap_lines=True)
st.caption(plain(f"Report {report.id} · {report.created_at} · Assay {report.assay_version}"))
