"""How a route answers: JSON, and every deliberate error as ``{message, hint}`` with its status."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from engine.errors import EngineError, NotAllowed, NotFound, StorageFull, UploadError

TOO_SLOW = 408
Endpoint = Callable[[Request], Awaitable[Response]]


def answering(endpoint: Endpoint) -> Endpoint:
    """The endpoint, with deliberate errors turned into JSON answers."""

    @functools.wraps(endpoint)
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except EngineError as error:
            return error_answer(error)

    return answer


def error_answer(error: EngineError) -> JSONResponse:
    """One error as JSON. Who was too slow is hung up on; who has to wait is told how long."""
    status, headers = status_of(error), {"Cache-Control": "no-store"}
    if isinstance(error, UploadError) and error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if status == TOO_SLOW:
        headers["Connection"] = "close"  # else the server goes on reading, however slowly it comes
    body = {"message": error.message, "hint": error.hint}
    return JSONResponse(body, status_code=status, headers=headers)


def status_of(error: EngineError) -> int:
    """The HTTP status that says what kind of error this is."""
    if isinstance(error, UploadError):
        return error.status
    if isinstance(error, NotFound):
        return 404
    if isinstance(error, NotAllowed):
        return 403
    if isinstance(error, StorageFull):
        return 507
    return 400
