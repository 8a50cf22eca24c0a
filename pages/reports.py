"""Reports: every result kept here, newest first."""

from __future__ import annotations

import streamlit as st

import engine
from engine import EngineError, Role
from pages.components import sharing, shell, state
from pages.components.text import plain

shell.guard()


def importer() -> None:
    """Bring a report that was exported as JSON, here or on another machine."""
    with st.expander("Import a report", icon=":material/upload_file:"):
        file = st.file_uploader(
            "A report exported as JSON", type=["json"], max_upload_size=20, key=state.IMPORT
        )
        if file and st.button("Import", type="primary"):
            try:
                report = engine.import_report(file.getvalue().decode("utf-8", errors="replace"))
            except EngineError as error:
                st.error("This file was not imported.", icon=":material/error:")
                st.text(str(error))
                return
            st.switch_page(shell.page_path("report"), query_params=state.link(report=report.id))


@st.dialog("Delete this report?")
def confirm_delete(report_id: str, title: str) -> None:
    """Deleting takes a second click, and says what stays."""
    st.text(title)
    st.markdown("The report is removed for good. Links already shared keep their own snapshot.")
    if st.button("Delete", type="primary", icon=":material/delete:"):
        engine.delete_report(report_id)
        st.rerun()


shell.header("Reports", "Every result kept here that is yours to read, newest first.")
query = st.text_input("Filter by title, model or format", key=state.FILTER, bind="query-params")
found = engine.list_reports(query or "")
if not found:
    if query:
        st.info("No report matches this filter.", icon=":material/search_off:")
    elif not engine.who().may(Role.RUNNER):
        st.info("No report is open to you yet: a link to one opens it.", icon=":material/info:")
    else:
        st.info("No report yet: measure a model and it appears here.", icon=":material/info:")
        st.page_link(shell.page_path("model"), label="Bring a model")
together = state.picked([item.id for item in found])
if len(found) > 1 and st.button(
    f"Compare {len(together)} reports" if len(together) > 1 else "Tick two or more to compare them",
    icon=":material/compare_arrows:",
    disabled=len(together) < 2,
):
    link = state.link(reports=together)
    st.switch_page(shell.page_path("compare"), query_params=link)
for item in found:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.checkbox(
            f"Compare {plain(item.title)}",
            key=f"{state.PICKED}{item.id}",
            label_visibility="collapsed",
        )
        with st.container(width="stretch"):
            st.text(item.title)
            formats = engine.list_formats()
            names = [formats[name].label for name in dict.fromkeys(item.formats) if name in formats]
            whose = sharing.whose(item.owner, for_all=item.for_all)
            st.caption(
                f"{plain(item.created_at[:16].replace('T', ' '))} UTC · {', '.join(names)}{whose}"
            )
        if st.button("Open", key=f"open-{item.id}", icon=":material/open_in_new:"):
            st.switch_page(shell.page_path("report"), query_params=state.link(report=item.id))
        if item.own and st.button(
            "Delete", key=f"delete-{item.id}", icon=":material/delete:", type="tertiary"
        ):
            confirm_delete(item.id, item.title)
if engine.who().may(Role.RUNNER):
    importer()
