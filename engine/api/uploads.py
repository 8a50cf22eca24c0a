"""Resumable uploads: announce, append, ask how far, complete, withdraw.

``POST /api/v1/uploads`` · ``HEAD|PATCH|DELETE /api/v1/uploads/{id}`` ·
``POST /api/v1/uploads/{id}/complete``. The bytes go from the socket to the disk a chunk at a time.

To announce takes a ticket of the page (``Upload-Ticket``). To append takes a turn: whoever gets
none is answered 429 with ``Retry-After``; an empty body asks for one and sends nothing. A body
that comes too slowly is cut with 408. What has arrived is kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from anyio.lowlevel import RunVar
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from engine.api.answers import answering
from engine.api.pace import paced
from engine.api.turns import Turns
from engine.errors import UploadError
from engine.records import dump
from engine.sources import tickets, uploads

Given = TypeVar("Given")
Made = TypeVar("Made")

PREFIX = "/api/v1/uploads"
TUS = {"Tus-Resumable": "1.0.0", "Cache-Control": "no-store"}
_BATCH = 4 << 20
"""Bytes gathered before a thread writes them: few hops, flat memory."""
_BODY_LIMIT = 8192
_TURNS = Turns()
_AT_THE_DISK = 8
_chunks: RunVar[anyio.Lock] = RunVar("chunks")
_disk: RunVar[CapacityLimiter] = RunVar("disk")


@answering
async def create(request: Request) -> Response:
    """Announce: headers ``Upload-Ticket`` and ``Upload-Length``; JSON body ``{name, sha256?}``."""
    size = _number(request, "Upload-Length")
    said = request.headers.get("Upload-Ticket", "")
    ticket = await anyio.to_thread.run_sync(tickets.check, said, size)
    body = await _small_json(request)
    name, sha256 = body.get("name", "model"), body.get("sha256")
    if not isinstance(name, str) or not isinstance(sha256, str | None):
        raise UploadError("name and sha256 are texts.", status=400)
    upload = await anyio.to_thread.run_sync(uploads.create, name, size, sha256, ticket.holder)
    headers = TUS | {"Location": f"{PREFIX}/{upload.id}", "Upload-Offset": "0"}
    return JSONResponse(dump(upload), status_code=201, headers=headers)


@answering
async def head(request: Request) -> Response:
    """How far it is."""
    upload_id = request.path_params["id"]
    upload = await anyio.to_thread.run_sync(uploads.info, upload_id)
    here = await anyio.to_thread.run_sync(uploads.offset, upload_id)
    headers = TUS | {"Upload-Offset": str(here), "Upload-Length": str(upload.size)}
    return Response(status_code=200, headers=headers)


@answering
async def append(request: Request) -> Response:
    """Append the body at ``Upload-Offset``. What arrived before a cut is kept."""
    at = _number(request, "Upload-Offset")
    upload = await anyio.to_thread.run_sync(uploads.info, request.path_params["id"])
    with _TURNS.taken(upload):
        part = await anyio.to_thread.run_sync(uploads.Appender, upload.id, at)
        await anyio.to_thread.run_sync(part.__enter__)
        try:
            here = await _receive(request, part, at)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(part.__exit__, None, None, None)
    return Response(status_code=204, headers=TUS | {"Upload-Offset": str(here)})


async def _receive(request: Request, part: uploads.Appender, here: int) -> int:
    """Move the body to the disk in batches; gives the new offset."""
    batch = bytearray()
    cut: ClientDisconnect | None = None
    try:
        with paced() as pace:
            async for chunk in request.stream():
                pace.came(len(chunk))
                batch += chunk
                with pace.stopped():
                    await _after_the_others()
                    if len(batch) >= _BATCH:
                        here = await _at_the_disk(part.write, batch)
                        batch = bytearray()
    except ClientDisconnect as error:
        cut = error
    if batch:
        here = await _at_the_disk(part.write, batch)
    if cut:
        raise UploadError(
            "The connection was cut.", status=400, hint="Ask for the offset with HEAD and resume."
        ) from cut
    pace.check()
    return here


async def _after_the_others() -> None:
    """One chunk of all uploads for every round of the event loop.

    Pages send a message a round: were a chunk of each upload taken between two of them, pages would
    come to a stand under many uploads. What is not taken stays with its sender (flow control).
    """
    lock = _chunks.get(None)
    if lock is None:
        _chunks.set(lock := anyio.Lock())
    async with lock:
        await anyio.sleep(0)


async def _at_the_disk(work: Callable[[Given], Made], given: Given) -> Made:
    """In a thread, with few beside it: what waits for the disk may not take pages their threads."""
    limiter = _disk.get(None)
    if limiter is None:
        _disk.set(limiter := CapacityLimiter(_AT_THE_DISK))
    return await anyio.to_thread.run_sync(work, given, limiter=limiter)


@answering
async def complete(request: Request) -> Response:
    """Check and finish: 200 with the sha256 that was found."""
    upload_id = request.path_params["id"]
    try:
        upload = await _at_the_disk(uploads.complete, upload_id)
    finally:
        _TURNS.end(upload_id)
    return JSONResponse(dump(upload), headers=TUS)


@answering
async def withdraw(request: Request) -> Response:
    """Throw it away."""
    upload_id = request.path_params["id"]
    await anyio.to_thread.run_sync(uploads.delete, upload_id)
    _TURNS.end(upload_id)
    return Response(status_code=204, headers=TUS)


def _number(request: Request, header: str) -> int:
    """A header that must be a whole number of bytes."""
    text = request.headers.get(header, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise UploadError(
            f"The header {header} must be a whole number of bytes.",
            status=400,
            hint=f"Send {header}: 0 or more.",
        )
    return int(text)


async def _small_json(request: Request) -> dict[str, Any]:
    """The JSON object in the body, refused when it is large or no object."""
    body = bytearray()
    with paced() as pace:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _BODY_LIMIT:
                raise UploadError(f"This body may have {_BODY_LIMIT} bytes.", status=413)
    pace.check()
    try:
        found = json.loads(body or b"{}")
    except ValueError as error:
        raise UploadError("The body is not JSON.", status=400) from error
    if not isinstance(found, dict):
        raise UploadError("The body must be a JSON object with a name.", status=400)
    return found


ROUTES = [
    Route(PREFIX, create, methods=["POST"]),
    Route(PREFIX + "/{id}", head, methods=["HEAD"]),
    Route(PREFIX + "/{id}", append, methods=["PATCH"]),
    Route(PREFIX + "/{id}", withdraw, methods=["DELETE"]),
    Route(PREFIX + "/{id}/complete", complete, methods=["POST"]),
]
