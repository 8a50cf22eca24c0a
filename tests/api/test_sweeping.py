"""What a closed tab leaves is collected though nobody comes after it."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from engine.api.sweeping import Sweeping


class Session:
    """Something that holds itself, as sessions do."""

    def __init__(self) -> None:
        self.own = self


left: list[weakref.ref[Session]] = []


async def page(socket: WebSocket) -> None:
    await socket.accept()
    left.append(weakref.ref(Session()))
    await socket.close()


@pytest.fixture
def collected_on_request_only() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("collected_on_request_only")
def test_what_a_closed_tab_leaves_is_swept_and_so_is_the_next() -> None:
    routes = [WebSocketRoute("/", page)]
    app = Starlette(routes=routes, middleware=[Middleware(Sweeping, after_s=0.01)])
    with TestClient(app) as client:
        for _ in range(2):
            with client.websocket_connect("/") as socket:
                socket.close()
            while left[-1]() is not None:
                time.sleep(0.01)
