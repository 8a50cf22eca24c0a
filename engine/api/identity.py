"""Who asks over HTTP: the same person as on the pages, by the same cookie; nobody reaches a route.

Where people log in, a change also needs the Origin of our own pages: a cookie alone, which a
browser sends whoever made it ask, changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from engine import access
from engine.access import Role
from engine.api.origin import SAFE_METHODS
from engine.logins import login
from engine.settings import settings

Claims = Callable[[Mapping[str, str]], Mapping[str, Any]]
"""From a request's cookies: what the provider said of the person, its signature checked."""

NEEDS = {
    "/api/v1/uploads": Role.RUNNER,
    "/_stcore/upload_file/": Role.RUNNER,
    "/api/": Role.VIEWER,
    "/viewer/": Role.VIEWER,
    "/media/": Role.VIEWER,
}
"""By the beginning of a path: the role it takes. Share links, health and Streamlit's own page and
login take none."""


class Identity:
    """ASGI middleware: every request runs as whoever sent it, and without a role it does not run.

    ``claims`` reads Streamlit's login cookie. Where nobody logs in, this does nothing.
    """

    def __init__(self, app: ASGIApp, claims: Claims) -> None:
        self.app, self.claims = app, claims

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        configured = login() if scope["type"] == "http" else None
        needed = _needed(scope["path"]) if configured else None
        if configured is None or needed is None:
            await self.app(scope, receive, send)
            return
        person = configured.person(self.claims(HTTPConnection(scope).cookies))
        if refused := _refused(scope, person, needed):
            await refused(scope, receive, send)
            return
        with access.acting(person):
            await self.app(scope, receive, send)


def _needed(path: str) -> Role | None:
    return next((role for start, role in NEEDS.items() if path.startswith(start)), None)


def _refused(scope: Scope, person: access.Person, needed: Role) -> JSONResponse | None:
    """Why this request is not let through; None when it is."""
    if not person.id:
        return _answer(401, "Nobody is logged in.", "Log in on Assay's pages.")
    if not person.may(needed):
        own = f"yours is {person.role}" if person.role else "you have none"
        hint = "Whoever runs this Assay gives roles."
        return _answer(403, f"This needs the role {needed}; {own}.", hint)
    if scope["method"] not in SAFE_METHODS and not _from_our_pages(scope):
        return _answer(
            403,
            "A login changes things from Assay's own pages only.",
            "Use the pages, or the shell.",
        )
    return None


def _from_our_pages(scope: Scope) -> bool:
    """Whether a browser says that one of our pages asks. ``OriginGuard`` has seen to the Host."""
    origin = Headers(scope=scope).get("origin", "")
    _, separator, host = origin.lower().partition("://")
    return bool(separator) and host == settings().public_host


def _answer(status: int, message: str, hint: str) -> JSONResponse:
    return JSONResponse(
        {"message": message, "hint": hint}, status, headers={"Cache-Control": "no-store"}
    )
