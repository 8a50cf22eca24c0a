"""Compare: reports side by side, of one machine or of several."""

from __future__ import annotations

import streamlit as st

from engine import Comparison, EngineError
from pages.components import charts, comparison, shell, state, table
from pages.components.text import plain

shell.guard()


def environment(found: Comparison) -> None:
    """Which report is which, and where they differ."""
    with st.container(border=True):
        for one in found.reports:
            st.page_link(
                shell.page_path("report"),
                label=f"{one.letter} · {plain(one.title)}",
                query_params=state.link(report=one.id),
            )
            st.caption(plain(one.place))
        if found.differences.rows:
            table.grid(table.of_text(found.differences))
        elif len(found.reports) > 1:
            st.text("Nothing that the reports say of machine, versions and method differs.")
        if found.differences.note:
            st.caption(plain(found.differences.note))


def ratios(drawn: comparison.Drawn) -> None:
    """The speed of each within its own report, and these ratios beside each other."""
    found = drawn.found
    st.subheader("Speed against the baseline", anchor="ratios")
    comparison.baseline(found)
    if drawn.ratios and found.forest:
        st.caption(
            "How many times as fast as the baseline of the same report, with 95 % intervals. In "
            f"the shaded band, ±{100 * found.forest.delta:.1f} %, a difference does not count."
        )
        charts.draw(drawn.ratios, "ratios", behind="")
    if found.sentences:
        st.text("\n".join(found.sentences))
    table.grid(table.of_text(found.ratios))
    st.caption(plain(found.ratios.note))


def figures(drawn: comparison.Drawn) -> None:
    """Times, throughput, memory and size: a column a report, a panel a machine."""
    found = drawn.found
    st.subheader("Latency", anchor="latency")
    st.caption(
        "Median of all inferences; the whisker is the 95 % interval. Each panel is one machine, "
        "with a scale of its own."
    )
    if drawn.latency:
        charts.draw(drawn.latency, "latency", behind="")
    table.grid(table.of_text(found.latency))
    for title, anchor, sheet, said in (
        ("Throughput", "throughput", found.throughput, "Items a second."),
        ("Memory", "memory", found.memory, "Peak above a process that only imports, MiB."),
        ("Size", "size", found.size, "File on the disk, MiB."),
    ):
        st.subheader(title, anchor=anchor)
        st.caption(said)
        table.grid(table.of_text(sheet))


shell.header(
    "Compare",
    "Reports side by side. Ratios within each are compared; times of different machines never are.",
)
reports = comparison.picked()
if not reports:
    st.info("Pick the reports to put side by side.", icon=":material/info:")
    st.page_link(shell.page_path("reports"), label="Every report kept here")
    st.stop()
dark = st.context.theme.type == "dark"
try:
    drawn = comparison.kept(reports, state.baseline(), dark=dark)
except EngineError as error:
    st.warning(f"{plain(str(error))} Shown with the usual baseline.", icon=":material/info:")
    drawn = comparison.kept(reports, None, dark=dark)
if len(reports) == 1:
    st.info("One report alone: pick another to compare it with.", icon=":material/info:")
for note in drawn.found.notes:
    st.caption(plain(note))
environment(drawn.found)
if drawn.found.rows:
    ratios(drawn)
    figures(drawn)
