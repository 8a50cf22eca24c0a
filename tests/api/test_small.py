"""Streamlit's own uploader holds files in memory: what it is given has limits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from engine.api import small
from engine.api.small import PREFIX, SmallFiles
from engine.settings import settings


async def take(request: Request) -> PlainTextResponse:
    size = len(await request.body())
    refused = request.path_params["file"].startswith("refused")
    return PlainTextResponse(str(size), status_code=400 if refused else 200)


APP = Starlette(
    routes=[Route(PREFIX + "{session}/{file}", take, methods=["PUT", "DELETE"])],
    middleware=[Middleware(SmallFiles)],
)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(small, "LARGEST", 1000)
    monkeypatch.setattr(small, "OF_A_SESSION", 2500)
    APP.middleware_stack = None  # what one test's sessions hold is not the next one's
    with TestClient(APP) as opened:
        yield opened


def put(client: TestClient, place: str, size: int) -> int:
    return client.put(PREFIX + place, content=b"x" * size).status_code


def test_a_file_and_those_of_a_session_have_an_end(client: TestClient) -> None:
    assert put(client, "s/1", 1001) == 413
    assert [put(client, f"s/{at}", 1000) for at in (1, 2, 3)] == [200, 200, 413]
    assert put(client, "other/1", 1000) == 200
    assert put(client, "s/2", 900) == 200, "the same file again takes its own place"
    assert client.delete(PREFIX + "s/1").status_code == 200
    assert put(client, "s/3", 1000) == 200
    told = client.put(PREFIX + "s/4", content=b"x" * 1000).json()
    assert "up to" in told["message"] and "Model page" in told["hint"]


def test_a_file_says_how_long_it_is(client: TestClient) -> None:
    assert client.put(PREFIX + "s/1", content=iter([b"x"])).status_code == 411
    both = {"Content-Length": "1", "Transfer-Encoding": "chunked"}
    assert client.put(PREFIX + "s/1", content=b"x", headers=both).status_code == 411


def test_only_what_was_taken_is_on_the_account(client: TestClient) -> None:
    for at in range(4):
        assert put(client, f"s/refused-{at}", 1000) == 400
    assert put(client, "s/1", 1000) == 200
    assert client.delete(PREFIX + "s/refused-1").status_code == 400
    assert [put(client, f"s/{at}", 1000) for at in (2, 3)] == [200, 413]


@pytest.mark.parametrize("place", ["s", "s/f/more", "s/" + "x" * 65, "s/..%2f"])
def test_a_place_is_a_session_and_a_file(client: TestClient, place: str) -> None:
    assert put(client, place, 10) == 404


def test_one_that_trickles_is_cut(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_UPLOAD_PATIENCE_S", "0.3")
    settings.cache_clear()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"x"
        await anyio.sleep(5)
        yield b"x"

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(APP)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
            return await opened.put(
                PREFIX + "s/slow", content=slowly(), headers={"Content-Length": "2"}
            )

    with ThreadPoolExecutor(1) as apart:  # a browser of another test may have a loop in this one
        answer = apart.submit(anyio.run, ask).result()
    assert answer.status_code == 408
    assert "for 0.3 s it came slower than 16 kB a second" in answer.json()["message"]
