"""Streamlit's own uploader, for small files: it keeps them in memory, so that there are limits.

The page's first uploader is ours (``engine.api.uploads``) and keeps nothing in memory.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.api.answers import error_answer
from engine.api.pace import Pace, paced
from engine.errors import NotFound, UploadError
from engine.settings import settings

PREFIX = "/_stcore/upload_file/"
MIB = 1024**2
LARGEST, OF_A_SESSION = 52 * MIB, 128 * MIB
"""Bytes of one request (the largest file is 50 MB), and of all that an open page holds."""
_PLACE = re.compile(r"([0-9A-Za-z-]{1,64})/([0-9A-Za-z-]{1,64})")
"""Session and file, as Streamlit names them."""
_AT_ONCE = 4
_SESSIONS = 4096
"""Sessions whose accounts are kept; the oldest is forgotten first."""
_ASK_AGAIN_S = 5


class SmallFiles:
    """ASGI middleware: no file is too large, nor are those of a session, and none trickles in.

    On a session's account is what Streamlit took: it refuses sessions that there are not.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._held: OrderedDict[str, dict[str, int]] = OrderedDict()
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        if not path.startswith(PREFIX) or scope["method"] not in ("PUT", "POST", "DELETE"):
            await self.app(scope, receive, send)
            return
        answer = _Answer(send)
        try:
            place = _PLACE.fullmatch(path.removeprefix(PREFIX))
            if place is None:
                raise NotFound("There is no such place for a file.", hint="Reload the page.")
            session, file = place.groups()
            if scope["method"] == "DELETE":
                await self.app(scope, receive, answer)
                size = 0
            else:
                size = self._size(session, file, Headers(scope=scope))
                async with self._turn():
                    await _received(self.app, scope, receive, answer)
            if answer.took:
                self._keep(session, file, size)
        except (UploadError, NotFound) as error:
            if not answer.begun:
                await error_answer(error)(scope, receive, send)

    def _size(self, session: str, file: str, headers: Headers) -> int:
        """What the file says it has, and may have. Raises UploadError 411, 413."""
        length = headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()) or "transfer-encoding" in headers:
            raise UploadError("A file says beforehand how long it is.", status=411)
        size, others = int(length), dict(self._held.get(session, {}))
        others.pop(file, None)
        if size > LARGEST or size + sum(others.values()) > OF_A_SESSION:
            raise UploadError(
                f"This way a file has up to {LARGEST // MIB} MiB, and those of an open page up to "
                f"{OF_A_SESSION // MIB} MiB together.",
                status=413,
                hint="Use the first uploader on the Model page, or take files away and reload.",
            )
        return size

    def _keep(self, session: str, file: str, size: int) -> None:
        """On the session's account; 0 bytes take it off."""
        held = self._held.setdefault(session, {})
        self._held.move_to_end(session)
        if size:
            held[file] = size
        else:
            held.pop(file, None)
        if len(self._held) > _SESSIONS:
            self._held.popitem(last=False)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """One of those that are received at a time. Raises UploadError 429 after some waiting."""
        with anyio.move_on_after(settings().upload_patience_s) as waiting:
            await self._turns.acquire()
        if waiting.cancelled_caught:
            raise UploadError(
                f"{_AT_ONCE} small files are being received, the most at a time.",
                status=429,
                hint="Choose it again in a moment.",
                retry_after_s=_ASK_AGAIN_S,
            )
        try:
            yield
        finally:
            self._turns.release()


class _Answer:
    """Hands an answer on, and knows whether it began, and whether it was one of success."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = self.took = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun, self.took = True, 200 <= message["status"] < 300
        await self._send(message)


async def _received(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """As fast as any upload has to come. Raises UploadError 408 otherwise."""
    with paced() as pace:
        await app(scope, _measured(receive, pace), send)
    pace.check()


def _measured(receive: Receive, pace: Pace) -> Receive:
    async def received() -> Message:
        message = await receive()
        pace.came(len(message.get("body", b"")))
        return message

    return received
