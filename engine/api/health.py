"""``GET /healthz``: whether the web process answers and the host that works for it is alive."""

from __future__ import annotations

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from engine.jobs.client import host_alive


async def healthz(request: Request) -> Response:
    """200 with JSON. A host that is away is a fact in it, not an error of the web process."""
    alive = await anyio.to_thread.run_sync(host_alive)
    body = {"status": "ok", "host": "alive" if alive else "away"}
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


ROUTES = [Route("/healthz", healthz, methods=["GET"])]
