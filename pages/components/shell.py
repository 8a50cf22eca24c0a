"""The frame around every page: navigation, header, footer, and the guard against a frameless page.

Streamlit treats a folder called ``pages`` as its older multipage layout until some session calls
``st.navigation``. A first visitor on a deep link would then get the bare page. Every page
therefore calls ``guard()`` first, which switches the process to this navigation and runs again.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import streamlit as st

import engine
from engine import Role
from pages.components import login, state

WHAT_IT_IS = (
    "Assay recommends a deployment format for your model, converts to it, proves that the answers "
    "stayed the same, and measures speed and memory on this machine."
)
FOLDER = Path(__file__).resolve().parents[1]
ICON = FOLDER.parent / "static" / "assay.svg"  # a named icon would be fetched from elsewhere
LANDING = "choose"


@dataclass(frozen=True, slots=True)
class PageInfo:
    """One page. ``name`` is its file's stem and its URL path: a cold deep link relies on that.

    ``role`` is the one it takes to open it, where people log in.
    """

    name: str
    title: str
    icon: str
    purpose: str
    role: Role = Role.VIEWER
    visibility: Literal["visible", "hidden"] = "visible"

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.name}.py"


PAGES = (
    PageInfo("choose", "Choose", "account_tree", "Answer a few questions; get a format and why."),
    PageInfo("model", "Model", "deployed_code", "Bring a model and see what it is.", Role.RUNNER),
    PageInfo("convert", "Convert", "conversion_path", "Make artifacts, each checked.", Role.RUNNER),
    PageInfo(
        "measure", "Measure", "timer", "Measure latency and memory on this machine.", Role.RUNNER
    ),
    PageInfo("report", "Report", "lab_profile", "One measured result.", Role.VIEWER, "hidden"),
    PageInfo(
        "compare", "Compare", "compare_arrows", "Results side by side.", Role.VIEWER, "hidden"
    ),
    PageInfo("reports", "Reports", "folder_open", "Every result kept here."),
    PageInfo("formats", "Formats", "menu_book", "What each format is good for, and is not."),
    PageInfo(
        "system", "System", "memory", "What this machine can do, and what is missing.", Role.ADMIN
    ),
)


def page_path(name: str) -> str:
    """The file of a page, for ``st.switch_page`` and ``st.page_link``."""
    return str(FOLDER / f"{name}.py")


def router() -> None:
    """The whole user interface: set up the frame and run the page that the URL names.

    A page that is not for whoever asks is not run.
    """
    st.set_page_config(page_title="Assay", page_icon=ICON, layout="wide")
    page = _navigation()
    engine.remember(engine.who())
    st.session_state[state.SHELL_RAN] = True
    state.remember_answers()
    body = st.container()
    _footer()  # before the page, since a page may stop early
    with body, engine.one_look():
        if login.admits(_needed(page)):
            page.run()


def guard() -> None:
    """First call of every page: make sure the frame ran, or run it."""
    if not st.session_state.pop(state.SHELL_RAN, False):
        _navigation()
        st.rerun()


def header(title: str, sentence: str = "") -> None:
    """A page's title and the one sentence that says what it is for."""
    st.title(title, anchor=False)
    if sentence:
        st.markdown(f":gray[{sentence}]")


def _navigation() -> st.Page:
    person = engine.who()
    # Copies, since a page may be called once: whoever runs beside this run has pages of its own.
    pages = [copy(page) for page in _pages(person.role)]
    return st.navigation(pages, position="top" if person.role else "hidden")


@cache
def _pages(role: Role | None) -> tuple[st.Page, ...]:
    """The pages, made once a role: to make them looks up each file, a millisecond in all.

    Every page is there for everybody, so that its address leads to it; those that a role does not
    open are not listed.
    """
    own = st.Page(_to_landing, title="Assay", url_path=LANDING, visibility="hidden")
    return (*(_page(info, role) for info in PAGES), own)


def _page(info: PageInfo, role: Role | None) -> st.Page:
    is_landing = info.name == LANDING
    opens = role is not None and role.rank >= info.role.rank
    return st.Page(
        info.path,
        title=info.title,
        icon=f":material/{info.icon}:",
        url_path="home" if is_landing else info.name,
        default=is_landing,
        visibility=info.visibility if opens else "hidden",
        help=info.purpose,
    )


def _needed(page: st.Page) -> Role | None:
    """The role this page takes; none for a shared report, which its link opens."""
    known = {info.title: info for info in PAGES}
    if page.title not in known or (page.title == "Report" and state.share_token()):
        return None
    return known[page.title].role


def _to_landing() -> None:
    """The landing page's own name as an address: Streamlit serves it at the root only."""
    st.switch_page(page_path(LANDING), query_params=state.parameters())


def _footer() -> None:
    st.space("large")
    login.out()
    st.caption(
        f"Assay {engine.__version__} · Runs on this machine; models, measurements and reports stay "
        "on it until you share them."
    )
