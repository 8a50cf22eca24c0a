"""How slowly the head of a request may come: who takes longer is hung up on.

Our routes are asked once a head is whole; uvicorn, the server in front of them, waits for one
without end. This module starts Streamlit's own server with a protocol that does not:

    python -m engine.api.heads run streamlit_app.py …
"""

from __future__ import annotations

import asyncio
import runpy
from typing import Any

from uvicorn import config
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from engine.settings import settings

_OURS = "engine.api.heads:Hurried"


class Hurried(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # a class found at run time
    """uvicorn's protocol with a limit from the first moment of a head to its last byte.

    From an answer to the next head uvicorn's own limit for idle connections holds.
    """

    _ends: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Somebody is there, and says nothing yet."""
        super().connection_made(transport)
        self._begin()

    def data_received(self, data: bytes) -> None:
        """Part of a head, or of what follows one."""
        super().data_received(data)
        upgraded = self.transport.get_protocol() is not self
        if upgraded or (self.cycle is not None and not self.cycle.response_complete):
            self._end()
        elif self._ends is None:
            self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self._end()
        super().connection_lost(exc)

    def _begin(self) -> None:
        self._ends = self.loop.call_later(settings().head_patience_s, self.transport.abort)

    def _end(self) -> None:
        if self._ends is not None:
            self._ends.cancel()
            self._ends = None


if __name__ == "__main__":
    config.HTTP_PROTOCOLS["auto"] = _OURS
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)
