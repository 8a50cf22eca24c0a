"""What every answer tells a browser it may do with it, and what is answered to nobody."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CLOSED = ("/_stcore/metrics",)
"""Streamlit's own routes that say more of the machine than a visitor needs."""

PAGES = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; worker-src 'self' blob:; frame-src 'self'; frame-ancestors 'self'; "
    "object-src 'none'; base-uri 'self'; form-action 'self'"
)
"""For Streamlit's pages, which need inline scripts. Nothing is fetched from, or sent to, anywhere
else: a picture that a model's name asks for in Markdown stays unasked for."""

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": PAGES,
}


class SafeHeaders:
    """ASGI middleware: puts the headers on every answer that has no stricter ones of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["path"].rstrip("/") in CLOSED:
            await PlainTextResponse("Not here.", status_code=404)(scope, receive, send_with)
        else:
            await self.app(scope, receive, send_with)
