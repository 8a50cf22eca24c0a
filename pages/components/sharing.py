"""Taking a report away, and sharing it: exports, and links that are made, listed and closed."""

from __future__ import annotations

from functools import partial

import streamlit as st

import engine
from engine import EngineError, Report
from pages.components import shell, state
from pages.components.text import plain

EXPIRIES: dict[str, int | None] = {
    "1 day": 1,
    "7 days": 7,
    "30 days": 30,
    "Until it is revoked": None,
}
FOR_ALL = "open to everybody who logs in"


def whose(owner: str, *, for_all: bool) -> str:
    """What a line of the library says of its owner; nothing where nobody logs in."""
    if engine.login() is None:
        return ""
    person = engine.who()
    by = "yours" if person.id == owner else ""
    if person.sees_all and not by:
        by = f"by {plain(engine.people().get(owner, owner))}"
    return "".join(f" · {part}" for part in (by, for_all and FOR_ALL) if part)


def take_away(report: Report, *, own: bool) -> None:
    """Take it away, or let somebody see it."""
    with st.container(horizontal=True):
        if own and st.button("Share", icon=":material/share:", type="primary"):
            dialog(report.id)
        if own and st.button("Compare", icon=":material/compare_arrows:"):
            link = state.link(reports=[report.id])
            st.switch_page(shell.page_path("compare"), query_params=link)
        for label, suffix, mime, make in (
            ("JSON", "json", "application/json", engine.export_json),
            ("CSV", "csv", "text/csv", engine.export_csv),
            ("Markdown", "md", "text/markdown", engine.export_markdown),
            ("HTML", "html", "text/html", engine.export_html),
        ):
            st.download_button(
                label,
                data=partial(make, report),
                file_name=f"assay-{report.id}.{suffix}",
                mime=mime,
                icon=":material/download:",
                on_click="ignore",
            )


@st.dialog("Share this report", width="medium")
def dialog(report_id: str) -> None:
    """A link is shown once, when it is made: only its hash is kept."""
    st.markdown(
        "A link opens a frozen copy of this report for whoever has it. Model files are not in it."
    )
    _for_all(report_id)
    expiry = st.selectbox("Open for", list(EXPIRIES), index=1)
    if st.button("Create a link", type="primary", icon=":material/link:"):
        try:
            made = engine.share(report_id, EXPIRIES[expiry])
        except EngineError as error:
            st.error(plain(str(error)), icon=":material/error:")
            return
        origin = _origin()
        query = "&".join(f"{k}={v}" for k, v in state.link(share=made.token).items())
        st.success("Copy it now: it is not shown again.", icon=":material/check_circle:")
        st.markdown("A page to read and print, without a login or a script")
        st.code(f"{origin}/r/{made.token}", language=None, wrap_lines=True)
        st.markdown("The interactive page")
        st.code(f"{origin}/report?{query}", language=None, wrap_lines=True)
    _existing(report_id)


def _for_all(report_id: str) -> None:
    """Where people log in: a report that each of them finds on Reports."""
    if engine.login() is None:
        return
    was = engine.report_summary(report_id).for_all
    if st.toggle("Everybody who logs in here may read it", value=was, key=state.FOR_ALL) != was:
        engine.open_report(report_id, open_=not was)


def _existing(report_id: str) -> None:
    shares = engine.shares_of(report_id)
    if not shares:
        return
    st.markdown("**Links made so far**")
    for share in shares:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            until = f"until {share.expires_at[:10]}" if share.expires_at else "without an end"
            how = "revoked" if share.revoked_at else until if share.active else "expired"
            views = "1 view" if share.views == 1 else f"{share.views} views"
            st.text(f"{share.created_at[:16].replace('T', ' ')} UTC · {how} · {views}")
            if share.active and st.button("Revoke", key=f"revoke-{share.id}", type="tertiary"):
                engine.revoke(share.id)
                st.rerun(scope="fragment")


def _origin() -> str:
    """Scheme and host as the visitor's browser knows them."""
    address = st.context.url or ""
    scheme, separator, rest = address.partition("://")
    return f"{scheme}{separator}{rest.split('/')[0]}" if separator else ""
