"""What every answer carries, whoever gave it; and what is answered to nobody."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from engine.api import reports
from engine.api.headers import PAGES
from engine.api.routes import MIDDLEWARE, ROUTES

CONFIG = Path(__file__).parents[2] / ".streamlit" / "config.toml"


async def page(request: Request) -> PlainTextResponse:
    return PlainTextResponse("a page")


async def strict(request: Request) -> PlainTextResponse:
    return PlainTextResponse("x", headers={"Content-Security-Policy": "default-src 'none'"})


@pytest.fixture
def client(workspace: Path) -> Iterator[TestClient]:
    more = [Route("/", page), Route("/strict", strict), Route("/_stcore/metrics", page)]
    app = Starlette(routes=[*ROUTES, *more], middleware=MIDDLEWARE)
    with TestClient(app, "http://127.0.0.1:8501", client=("127.0.0.1", 5000)) as opened:
        yield opened


@pytest.mark.parametrize("path", ["/", "/healthz", "/nowhere", "/api/v1/artifacts/none"])
def test_every_answer_is_held_to_this_origin(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["Content-Security-Policy"] == PAGES
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "SAMEORIGIN"


def test_a_stricter_policy_stays(client: TestClient) -> None:
    assert client.get("/strict").headers["Content-Security-Policy"] == "default-src 'none'"
    assert "default-src 'none'" in client.get("/r/nothing").headers["Content-Security-Policy"]


def test_a_foreign_host_gets_the_headers_too(client: TestClient) -> None:
    refused = client.get("/", headers={"Host": "evil.example"})
    assert refused.status_code == 403
    assert refused.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/_stcore/metrics", "/_stcore/metrics/"])
def test_the_servers_own_figures_are_closed(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_links_are_not_tried_for_long(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "_MISSES", reports._Misses())
    monkeypatch.setattr(reports.time, "monotonic", lambda: 1000.0)
    answers = [client.get(f"/r/guess-{index}").status_code for index in range(62)]
    assert answers == [404] * 60 + [429] * 2


def test_streamlit_is_set_to_serve_this_machine_and_to_keep_its_errors() -> None:
    found = tomllib.loads(CONFIG.read_text(encoding="utf-8"))
    assert found["server"]["address"] == "127.0.0.1"
    assert found["server"]["enableStaticServing"] is False
    assert found["client"]["showErrorDetails"] == "none"
    assert found["client"]["toolbarMode"] == "viewer"
    assert found["browser"]["gatherUsageStats"] is False
    for name in ("enableXsrfProtection", "enableCORS"):
        assert found["server"].get(name, True) is True
