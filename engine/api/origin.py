"""Who may talk to us: under our own name only, and only our own pages may change anything.

The name is the one that ``serve`` was given for others, else those of this machine. A page of
another site can make a visitor's browser call us; its Origin gives it away. A rebound DNS name
reaches us under a foreign Host; that gives it away.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from engine.doorway import is_loopback_name
from engine.settings import settings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OF_PROXIES = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


class OriginGuard:
    """ASGI middleware: 403 for foreign hosts, and for foreign origins that want to change things.

    No Origin at all is a program, not a browser's page: allowed from this machine only.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        problem = _problem(scope) if scope["type"] in ("http", "websocket") else None
        if problem is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            where = settings().public_host or "http://127.0.0.1 and its port"
            answer = JSONResponse(
                {"message": problem, "hint": f"Open Assay at {where}."}, status_code=403
            )
            await answer(scope, receive, send)


def _problem(scope: Scope) -> str | None:
    """Why this request is refused, in one sentence; None when it is not."""
    headers = Headers(scope=scope)
    host = headers.get("host", "")
    if public := settings().public_host:
        if host.lower() != public:
            return "Assay answers only under the name it was started with."
    elif not is_loopback_name(host):
        return "Assay answers only under the names of this machine (127.0.0.1, localhost)."
    if scope["type"] == "http" and scope["method"] in SAFE_METHODS:
        return None
    origin = headers.get("origin")
    if origin is None:
        return (
            None
            if _is_local(scope, headers)
            else "A request without an Origin must come from this machine."
        )
    if urlsplit(origin).netloc.lower() != host.lower():
        return "Only Assay's own pages may change anything."
    return None


def _is_local(scope: Scope, headers: Headers) -> bool:
    """Whether a program of this machine asks, and not a proxy on it for somebody else."""
    client = scope.get("client")
    handed_on = any(name in headers for name in _OF_PROXIES)
    return client is not None and is_loopback_name(client[0]) and not handed_on
