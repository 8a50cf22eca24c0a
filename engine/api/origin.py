"""Who may talk to us: only loopback names, and only our own pages may change anything.

A page of another site can make a visitor's browser call 127.0.0.1; its Origin gives it away. A
rebound DNS name reaches us under a foreign Host; that gives it away.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


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
            answer = JSONResponse(
                {"message": problem, "hint": "Open Assay at http://127.0.0.1 and its port."},
                status_code=403,
            )
            await answer(scope, receive, send)


def _problem(scope: Scope) -> str | None:
    """Why this request is refused, in one sentence; None when it is not."""
    headers = Headers(scope=scope)
    host = headers.get("host", "")
    if not is_loopback_name(host):
        return "Assay answers only under the names of this machine (127.0.0.1, localhost)."
    if scope["type"] == "http" and scope["method"] in SAFE_METHODS:
        return None
    origin = headers.get("origin")
    if origin is None:
        client = scope.get("client")
        local = client is not None and is_loopback_name(client[0])
        return None if local else "A request without an Origin must come from this machine."
    if urlsplit(origin).netloc != host:
        return "Only Assay's own pages may change anything."
    return None


def is_loopback_name(host: str) -> bool:
    """Whether a Host header (or an address) names this machine; the port does not matter."""
    try:
        name = urlsplit(f"//{host}").hostname if "::" not in host or "[" in host else host
    except ValueError:
        return False
    if name is None or "@" in host:
        return False
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
