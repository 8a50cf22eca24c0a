"""The graph viewer's routes: what they give, and what they keep."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from engine import graphs, store
from engine.api.routes import MIDDLEWARE, ROUTES
from engine.formats.gguf.file import read
from engine.settings import settings
from engine.types import Artifact, Signature
from tests import models


@pytest.fixture
def client(library: Any) -> Iterator[TestClient]:
    app = Starlette(routes=ROUTES, middleware=MIDDLEWARE)
    with TestClient(app, "http://127.0.0.1:8501", client=("127.0.0.1", 5000)) as opened:
        yield opened


def test_the_page_opens_the_model_and_reports_to_nobody(client: TestClient, library: Any) -> None:
    answer = client.get(f"/viewer/artifact/{library.artifact_ids[0]}/")
    head = dict(re.findall(r'<meta name="([\w-]+)" content="([^"]*)">', answer.text))
    assert head["file"] == "data/model.onnx"
    assert head["version"] == "0.0.0", "with a version it counts its users"
    assert answer.text.count('<meta name="date"') == 1
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "connect-src 'self'" in policy
    assert "http" not in policy, "no other host is allowed"
    assert answer.headers["Set-Cookie"].startswith("consent=1; Path=/viewer/")


def test_its_files_and_the_model_come_from_the_same_place(client: TestClient, library: Any) -> None:
    artifact, _ = store.artifacts.load(library.artifact_ids[0])
    home = f"/viewer/artifact/{artifact.id}"
    script = client.get(f"{home}/onnx.js")
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert client.get(f"{home}/data/model.onnx").content == artifact.path.read_bytes()


@pytest.mark.parametrize(
    "path",
    ["data/..%2f..%2fassay.db", "data/other.onnx", "server.py", "..%2fpip%2f__init__.py", "x.js"],
)
def test_nothing_else_is_given(client: TestClient, library: Any, path: str) -> None:
    answer = client.get(f"/viewer/artifact/{library.artifact_ids[0]}/{path}")
    assert answer.status_code == 404
    assert "message" in answer.json()


@pytest.mark.parametrize("kind", ["model", "artifact"])
def test_a_model_that_there_is_not(client: TestClient, kind: str) -> None:
    assert client.get(f"/viewer/{kind}/nothing/").status_code == 404


@pytest.mark.parametrize("kind", ["x; Domain=example.org", "€", "other"])
def test_a_kind_that_there_is_not(client: TestClient, library: Any, kind: str) -> None:
    answer = client.get(f"/viewer/{kind}/{library.artifact_ids[0]}/")
    assert answer.status_code == 404
    assert "Set-Cookie" not in answer.headers


def test_eager_models_have_no_graph_and_say_so(client: TestClient, library: Any) -> None:
    answer = client.get(f"/viewer/model/{library.model_id}/")
    assert answer.status_code == 400
    assert "convert it" in answer.json()["message"]


def test_what_a_browser_cannot_hold_is_refused_with_the_numbers(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"x" * 3_000_000)
    artifact = Artifact("a", "onnx", path, "", 1, Signature(()))
    assert graphs.viewable(artifact) is None
    monkeypatch.setattr(graphs, "LARGEST", 1_000_000)
    assert "3 MB" in (graphs.viewable(artifact) or "")


def test_the_graph_among_the_files_of_a_folder(tmp_path: Any) -> None:
    (tmp_path / "1" / "variables").mkdir(parents=True)
    for name in ("1/variables/x.index", "1/saved_model.pb", "labels.txt"):
        (tmp_path / name).touch()
    artifact = Artifact("a", "savedmodel", tmp_path, "", 1, Signature(()))
    assert graphs.graph_file(artifact) == tmp_path / "1" / "saved_model.pb"


def test_no_link_leads_to_another_site(client: TestClient, library: Any) -> None:
    page = client.get(f"/viewer/artifact/{library.artifact_ids[0]}/").text
    assert not re.search(r'(?:href|src)="(?:https?:)?//', page)


@pytest.mark.parametrize(("theme", "rule"), [("dark", "@media all"), ("light", "@media not all")])
def test_it_takes_the_look_of_the_page(
    client: TestClient, library: Any, theme: str, rule: str
) -> None:
    home = f"/viewer/artifact/{library.artifact_ids[0]}/"
    page, style = (client.get(f"{home}{name}?theme={theme}").text for name in ("", "grapher.css"))
    for text in (page, style):
        assert rule in text and "prefers-color-scheme" not in text
    assert f"grapher.css?theme={theme}" in page
    assert "prefers-color-scheme" in client.get(f"{home}?theme=%22%3E%3Cscript%3E").text
    assert "<script>" not in client.get(f"{home}?theme=%22%3E%3Cscript%3E").text


def test_of_a_gguf_file_everything_but_the_weights_is_given(
    client: TestClient, library: Any, tmp_path: Any
) -> None:
    home = settings().artifacts_dir / ("f1" * 8)
    made = models.converted(models.language_model(tmp_path / "torch"), "gguf", home)
    artifact = dataclasses.replace(made, id=home.name)
    # Of no model: pages of the shared one show what was made from it.
    store.artifacts.save(artifact, "nobody")
    answer = client.get(f"/viewer/artifact/{artifact.id}/data/{artifact.path.name}")
    whole = artifact.path.read_bytes()
    assert answer.content == whole[: len(answer.content)]
    assert len(answer.content) == read(artifact.path).end < len(whole)


def test_an_engine_has_no_graph_and_says_so(tmp_path: Any) -> None:
    artifact = Artifact("a", "tensorrt", tmp_path, "", 1, Signature(()))
    assert "compiled" in (graphs.viewable(artifact) or "")
