"""What leaves by HTTP: artifacts, exports, shared pages, health. Against work really done once."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from engine import store
from engine.api.routes import MIDDLEWARE, ROUTES
from engine.registry import MATRIX
from engine.settings import settings
from engine.types import Artifact


@pytest.fixture
def client(library: Any) -> Iterator[TestClient]:
    app = Starlette(routes=ROUTES, middleware=MIDDLEWARE)
    with TestClient(app, "http://127.0.0.1:8501", client=("127.0.0.1", 5000)) as opened:
        yield opened


def test_an_artifact_comes_whole_and_as_an_attachment(client: TestClient, library: Any) -> None:
    artifact, _ = store.artifacts.load(library.artifact_ids[0])
    answer = client.get(f"/api/v1/artifacts/{artifact.id}")
    assert answer.status_code == 200
    assert hashlib.sha256(answer.content).hexdigest() == artifact.sha256
    assert answer.headers["Content-Length"] == str(artifact.size_bytes)
    assert answer.headers["Content-Encoding"] == "identity"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"].startswith("attachment;")


def test_a_range_of_an_artifact(client: TestClient, library: Any) -> None:
    artifact, _ = store.artifacts.load(library.artifact_ids[0])
    answer = client.get(f"/api/v1/artifacts/{artifact.id}", headers={"Range": "bytes=10-19"})
    assert answer.status_code == 206
    assert answer.content == artifact.path.read_bytes()[10:20]


def test_a_folder_comes_as_a_zip_made_on_the_way(client: TestClient, library: Any) -> None:
    original = store.models.load(library.model_id).artifact
    folder = Artifact("f" * 16, "torch", original.path, "", 0, original.signature)
    store.artifacts.save(folder, library.model_id)
    answer = client.get(f"/api/v1/artifacts/{folder.id}")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as made:
        assert made.testzip() is None
        for path in original.path.iterdir():
            assert made.read(f"{original.path.name}/{path.name}") == path.read_bytes()
    assert client.get(f"/api/v1/artifacts/{folder.id}").content == answer.content


def test_an_importance_matrix_comes_beside_what_it_helped_to_make(
    client: TestClient, library: Any
) -> None:
    made, _ = store.artifacts.load(library.artifact_ids[0])
    address = f"/api/v1/artifacts/{made.id}/importance-matrix"
    refused = client.get(address)
    assert refused.status_code == 404 and "without an importance matrix" in refused.text
    home = settings().artifacts_dir / ("e" * 16)
    home.mkdir()
    (home / "model.gguf").write_bytes(b"weights")
    (home / MATRIX).write_bytes(b"a matrix")
    weighed = replace(made, id=home.name, path=home / "model.gguf")
    store.artifacts.save(weighed, library.model_id)
    answer = client.get(address.replace(made.id, weighed.id))
    assert answer.content == b"a matrix"
    assert 'filename="imatrix.gguf"' in answer.headers["Content-Disposition"]


@pytest.mark.parametrize("artifact_id", ["nothing", "..", "%2e%2e%2fetc%2fpasswd"])
def test_an_artifact_that_there_is_not(client: TestClient, artifact_id: str) -> None:
    assert client.get(f"/api/v1/artifacts/{artifact_id}").status_code == 404


@pytest.mark.parametrize(
    ("ending", "media"),
    [
        ("json", "application/json"),
        ("csv", "text/csv"),
        ("md", "text/markdown"),
        ("html", "text/html"),
    ],
)
def test_a_report_in_every_form(client: TestClient, library: Any, ending: str, media: str) -> None:
    answer = client.get(f"/api/v1/reports/{library.report_id}.{ending}")
    assert answer.status_code == 200, answer.text[:300]
    assert answer.headers["Content-Type"].startswith(media)
    assert answer.headers["Content-Disposition"].startswith("attachment")
    if ending == "json":
        assert json.loads(answer.text)["id"] == library.report_id


@pytest.mark.parametrize("name", ["nothing.json", "x.exe", "a.b.html"])
def test_a_report_that_there_is_not(client: TestClient, name: str) -> None:
    answer = client.get(f"/api/v1/reports/{name}")
    assert answer.status_code == 404
    assert set(answer.json()) == {"message", "hint"}


def test_a_shared_report_opens_until_it_is_revoked(client: TestClient, library: Any) -> None:
    made = store.shares.create(store.reports.load(library.report_id), days=1)
    answer = client.get(f"/r/{made.token}")
    assert answer.status_code == 200
    assert "Digits" in answer.text and 'property="og:title"' in answer.text
    for name, value in {
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }.items():
        assert answer.headers[name] == value
    assert "noindex" in answer.headers["X-Robots-Tag"]
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert f"/report?share={made.token}" in answer.text
    assert made.share.expires_at is not None
    assert f"shared snapshot, open until {made.share.expires_at[:10]}" in answer.text
    store.shares.revoke(made.share.id)
    lost = client.get(f"/r/{made.token}")
    unknown = client.get("/r/never-made")
    assert lost.status_code == unknown.status_code == 404
    assert lost.text == unknown.text


def test_health_is_json_and_says_whether_the_host_lives(client: TestClient) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {"status": "ok", "host": "away"}
