"""What visitors leave in memory is given back to the system, some time after they are gone."""

from __future__ import annotations

import asyncio
import ctypes
import gc

from starlette.types import ASGIApp, Receive, Scope, Send

AFTER_S = 150.0
"""Streamlit forgets a closed tab after two minutes (``disconnectedSessionTTL``)."""


class Sweeping:
    """ASGI middleware: once tabs were closed, one sweep for all of them.

    Python's own collections come with work, and where everybody has left there is none; what was
    freed stays with the allocator until it is told otherwise.
    """

    def __init__(self, app: ASGIApp, after_s: float = AFTER_S) -> None:
        self.app, self.after_s = app, after_s
        self._due: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        finally:
            if scope["type"] == "websocket" and self._due is None:
                loop = asyncio.get_running_loop()
                self._due = loop.call_later(self.after_s, self._begin, loop)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = None
        loop.run_in_executor(None, sweep)


def sweep() -> None:
    """Collect what is in cycles, and give free memory back."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone
    if trim is not None:
        trim(0)
