"""Logging in and out by Streamlit, and who that makes somebody: on the pages and on the routes.

The functions that read Streamlit's login cookie are its own and not public; they are used as they
are so that routes and pages can never be of two minds. ``tests/e2e/test_login.py`` holds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st
from streamlit.auth_util import get_origin_from_redirect_uri
from streamlit.web.server.starlette import starlette_websocket as streamlits
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

import engine
from engine import Person, Role
from pages.components import state
from pages.components.text import plain

_DEFAULT = "Log in"


def asking() -> Person:
    """Whoever uses this session; nobody until they have logged in."""
    return _person(st.user.to_dict())


def claims_of(cookies: Mapping[str, str]) -> Mapping[str, Any]:
    """What the provider said of whoever sends these cookies; empty where Streamlit does not trust
    them: signed by nobody, too old, or made for another address."""
    signed = streamlits._get_signed_cookie_with_chunks(dict(cookies), USER_COOKIE_NAME)
    origin = get_origin_from_redirect_uri()
    if signed is None or origin is None:
        return {}
    return streamlits._parse_decoded_user_cookie(signed, origin)


def identify() -> None:
    """From now on the engine asks here who is asking, where people log in."""
    engine.identify_by(asking if engine.login() is not None else None)


def admits(needed: Role | None) -> bool:
    """Whether this page is for whoever asks; where it is not, draw what to do instead.

    ``needed`` is None for a page that takes no role.
    """
    person = engine.who()
    if needed is None or person.may(needed):
        return True
    if not person.id:
        _ask()
        return False
    if person.role is None:
        st.title("No role yet", anchor=False)
        st.text(f"You are logged in as {person.name}, and have no role here.")
    else:
        st.title("Not for your role", anchor=False)
        st.text(f"This page needs the role {needed}; {person.name} has the role {person.role}.")
    st.markdown("Whoever runs this Assay gives roles.")
    return False


def out() -> None:
    """Who is logged in, and the way out."""
    person = engine.who()
    if engine.login() is None or not person.id:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Logged in as {plain(person.name)} · {person.role or 'no role'}")
        st.button("Log out", key=state.LOG_OUT, type="tertiary", on_click=st.logout)


def _person(claims: Mapping[str, Any]) -> Person:
    configured = engine.login()
    assert configured is not None, "asked only where people log in"
    return configured.person(claims)


def _ask() -> None:
    configured = engine.login()
    assert configured is not None, "without a login everybody is somebody"
    st.title("Log in", anchor=False)
    st.markdown(
        "Models, measurements and reports here belong to those who made them. A link to a shared "
        "report opens without a login."
    )
    for provider in configured.providers or (None,):
        label = f"{_DEFAULT} with {plain(provider)}" if provider else _DEFAULT
        st.button(
            label,
            key=f"{state.LOG_IN}{provider or ''}",
            type="primary",
            icon=":material/login:",
            on_click=st.login,
            args=(provider,),
        )
