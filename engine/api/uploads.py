"""Resumable uploads: announce, append, ask how far, complete, withdraw.

``POST /api/v1/uploads`` · ``HEAD|PATCH|DELETE /api/v1/uploads/{id}`` ·
``POST /api/v1/uploads/{id}/complete``. The bytes go from the socket to the disk a chunk at a time.
"""

from __future__ import annotations

import json
from typing import Any

import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from engine.api.answers import answering
from engine.errors import UploadError
from engine.records import dump
from engine.sources import uploads

PREFIX = "/api/v1/uploads"
TUS = {"Tus-Resumable": "1.0.0", "Cache-Control": "no-store"}
_BATCH = 4 << 20
"""Bytes gathered before a thread writes them: few hops, flat memory."""
_BODY_LIMIT = 8192


@answering
async def create(request: Request) -> Response:
    """Announce: header ``Upload-Length``; JSON body ``{name, sha256?}``."""
    size = _number(request, "Upload-Length")
    body = await _small_json(request)
    name, sha256 = body.get("name", "model"), body.get("sha256")
    if not isinstance(name, str) or not isinstance(sha256, str | None):
        raise UploadError("name and sha256 are texts.", status=400)
    upload = await anyio.to_thread.run_sync(uploads.create, name, size, sha256)
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
    part = await anyio.to_thread.run_sync(uploads.Appender, request.path_params["id"], at)
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
    try:
        async for chunk in request.stream():
            batch += chunk
            if len(batch) >= _BATCH:
                here = await anyio.to_thread.run_sync(part.write, batch)
                batch = bytearray()
    except ClientDisconnect as error:
        if batch:
            await anyio.to_thread.run_sync(part.write, batch)
        raise UploadError(
            "The connection was cut.", status=400, hint="Ask for the offset with HEAD and resume."
        ) from error
    return await anyio.to_thread.run_sync(part.write, batch) if batch else here


@answering
async def complete(request: Request) -> Response:
    """Check and finish: 200 with the sha256 that was found."""
    upload = await anyio.to_thread.run_sync(uploads.complete, request.path_params["id"])
    return JSONResponse(dump(upload), headers=TUS)


@answering
async def withdraw(request: Request) -> Response:
    """Throw it away."""
    await anyio.to_thread.run_sync(uploads.delete, request.path_params["id"])
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
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_LIMIT:
            raise UploadError(f"This body may have {_BODY_LIMIT} bytes.", status=413)
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
