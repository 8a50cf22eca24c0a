"""Only this machine's names, and only our own pages change anything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from engine.api.routes import MIDDLEWARE
from engine.settings import settings


async def touch(request: Request) -> PlainTextResponse:
    return PlainTextResponse("touched")


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = Starlette(
        routes=[Route("/x", touch, methods=["GET", "POST", "PATCH", "DELETE"])],
        middleware=MIDDLEWARE,
    )
    with TestClient(app, "http://127.0.0.1:8501", client=("127.0.0.1", 5000)) as opened:
        yield opened


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1:9999", "http://127.0.0.1:8501.evil.example"],
)
def test_a_foreign_origin_may_not_change_anything(
    client: TestClient, method: str, origin: str
) -> None:
    answer = client.request(method, "/x", headers={"Origin": origin})
    assert answer.status_code == 403
    assert answer.json()["message"]


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8501", None])
def test_our_pages_and_programs_on_this_machine_may(client: TestClient, origin: str | None) -> None:
    headers = {"Origin": origin} if origin else {}
    assert client.post("/x", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8501", "127.0.0.1.evil.example", ""]
)
def test_a_rebound_name_reaches_nothing(client: TestClient, host: str) -> None:
    assert client.get("/x", headers={"Host": host}).status_code == 403


def test_no_origin_from_elsewhere_may_not(client: TestClient) -> None:
    with TestClient(client.app, "http://127.0.0.1:8501", client=("10.0.0.7", 1)) as far:
        assert far.post("/x").status_code == 403
        assert far.get("/x").status_code == 200


def test_a_foreign_websocket_is_closed(client: TestClient) -> None:
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/x", headers={"Origin": "http://evil.example"}),
    ):
        pass


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Assay served to others, as assay.lan:8501."""
    monkeypatch.setenv("ASSAY_PUBLIC_HOST", "assay.lan:8501")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("assay.lan:8501", 200),
        ("ASSAY.lan:8501", 200),
        ("assay.lan", 403),
        ("127.0.0.1:8501", 403),
        ("localhost:8501", 403),
        ("evil.example", 403),
        ("", 403),
    ],
)
def test_served_to_others_it_answers_under_that_name_only(
    client: TestClient, named: None, host: str, status: int
) -> None:
    answer = client.get("/x", headers={"Host": host})
    assert answer.status_code == status
    if status == 403:
        assert "assay.lan:8501" in answer.json()["hint"]


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://assay.lan:8501", 200), ("http://assay.lan", 403), ("http://127.0.0.1:8501", 403)],
)
def test_served_to_others_only_its_own_pages_change_anything(
    client: TestClient, named: None, origin: str, status: int
) -> None:
    headers = {"Host": "assay.lan:8501", "Origin": origin}
    assert client.post("/x", headers=headers).status_code == status


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "Via"])
def test_what_a_proxy_on_this_machine_hands_on_is_not_of_this_machine(
    client: TestClient, name: str
) -> None:
    handed_on = {name: "203.0.113.7"}
    assert client.post("/x", headers=handed_on).status_code == 403
    assert client.get("/x", headers=handed_on).status_code == 200
    page = {"Origin": "http://127.0.0.1:8501"}
    assert client.post("/x", headers=handed_on | page).status_code == 200
