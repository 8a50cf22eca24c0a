"""Streamlit's own uploader, for small files: it keeps them in memory, so that there are limits.

The page's first uploader is ours (``engine.api.uploads``) and keeps nothing in memory.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.api.answers import error_answer
from engine.errors import UploadError
from engine.settings import settings

PREFIX = "/_stcore/upload_file/"
MIB = 1024**2
LARGEST, OF_A_SESSION = 52 * MIB, 128 * MIB
"""Bytes of one request (the largest file is 50 MB), and of all that an open page holds."""
_AT_ONCE = 4
_SESSIONS = 4096
"""Sessions that are remembered; the oldest is forgotten first."""


class SmallFiles:
    """ASGI middleware: no file is too large, nor are those of a session, and none trickles in."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._held: OrderedDict[str, dict[str, int]] = OrderedDict()
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self.app(scope, receive, send)
            return
        session, _, file = scope["path"].removeprefix(PREFIX).partition("/")
        if scope["method"] in ("PUT", "POST"):
            try:
                size = self._take(session, file, Headers(scope=scope).get("content-length", ""))
                async with self._turns:
                    await _in_time(self.app, size, scope, receive, send)
            except UploadError as error:
                await error_answer(error)(scope, receive, send)
            return
        if scope["method"] == "DELETE":
            self._held.get(session, {}).pop(file, None)
        await self.app(scope, receive, send)

    def _take(self, session: str, file: str, length: str) -> int:
        """Put a file on the session's account; gives its size. Raises UploadError 411, 413."""
        if not (length.isascii() and length.isdigit()):
            raise UploadError("A file says beforehand how long it is.", status=411)
        size = int(length)
        held = self._held.setdefault(session, {})
        self._held.move_to_end(session)
        if len(self._held) > _SESSIONS:
            self._held.popitem(last=False)
        if size > LARGEST or size + sum(held.values()) - held.get(file, 0) > OF_A_SESSION:
            raise UploadError(
                f"This way a file has up to {LARGEST // MIB} MiB, and those of an open page up to "
                f"{OF_A_SESSION // MIB} MiB together.",
                status=413,
                hint="Use the first uploader on the Model page, or take files away and reload.",
            )
        held[file] = size
        return size


async def _in_time(app: ASGIApp, size: int, scope: Scope, receive: Receive, send: Send) -> None:
    """Let it be received as fast as an upload has to come. Raises UploadError 408 otherwise."""
    begun = False

    async def send_on(message: Message) -> None:
        nonlocal begun
        begun = True
        await send(message)

    here = settings()
    patience = here.upload_patience_s + size / here.upload_least_bytes_s
    with anyio.move_on_after(patience) as waiting:
        await app(scope, receive, send_on)
    if waiting.cancelled_caught and not begun:
        raise UploadError(
            f"The file was cut: it had not come after {patience:.0f} s.",
            status=408,
            hint="Choose it again, on a faster line.",
        )
