"""Resumable uploads over HTTP, against the real routes and a real folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from engine.api import uploads as routes
from engine.api.routes import MIDDLEWARE
from engine.api.turns import Turns
from engine.errors import NotFound, UploadError
from engine.settings import settings
from engine.sources import tickets, uploads

DATA = os.urandom(300_000)
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def client(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A browser that was given a ticket. Turns are the test's own."""
    monkeypatch.setattr(routes, "_TURNS", Turns())
    app = Starlette(routes=routes.ROUTES, middleware=MIDDLEWARE)
    with TestClient(app, "http://127.0.0.1:8501", client=("127.0.0.1", 5000)) as opened:
        opened.headers["Upload-Ticket"] = tickets.issue("a session")
        yield opened


def announce(client: TestClient, size: int = len(DATA), **more: str) -> str:
    answer = client.post(
        routes.PREFIX, headers={"Upload-Length": str(size)}, json={"name": "m.pt", **more}
    )
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"{routes.PREFIX}/{answer.json()['id']}"
    return str(answer.json()["id"])


def patch(client: TestClient, upload_id: str, at: int, data: bytes) -> int:
    headers = {"Upload-Offset": str(at), "Content-Type": "application/offset+octet-stream"}
    return client.patch(f"{routes.PREFIX}/{upload_id}", headers=headers, content=data).status_code


def stands_at(client: TestClient, upload_id: str) -> int:
    answer = client.head(f"{routes.PREFIX}/{upload_id}")
    assert answer.headers["Upload-Length"] == str(len(DATA))
    return int(answer.headers["Upload-Offset"])


def complete(client: TestClient, upload_id: str) -> tuple[int, dict[str, object]]:
    answer = client.post(f"{routes.PREFIX}/{upload_id}/complete")
    return answer.status_code, answer.json()


def test_an_upload_cut_at_half_is_resumed(client: TestClient) -> None:
    upload_id = announce(client, sha256=SHA256)
    half = len(DATA) // 2
    assert patch(client, upload_id, 0, DATA[:half]) == 204
    assert stands_at(client, upload_id) == half
    assert complete(client, upload_id)[0] == 409
    assert patch(client, upload_id, half, DATA[half:]) == 204
    status, body = complete(client, upload_id)
    assert (status, body["sha256"], body["name"]) == (200, SHA256, "m.pt")
    assert uploads.path_of(upload_id).read_bytes() == DATA


def test_a_connection_cut_in_the_middle_keeps_what_arrived(client: TestClient) -> None:
    upload_id = announce(client)

    def cut() -> Iterator[bytes]:
        yield DATA[:1000]
        raise ConnectionError

    with pytest.raises(ConnectionError):
        patch_stream = {"Upload-Offset": "0"}
        client.patch(f"{routes.PREFIX}/{upload_id}", headers=patch_stream, content=cut())
    here = stands_at(client, upload_id)
    assert patch(client, upload_id, here, DATA[here:]) == 204
    assert complete(client, upload_id)[1]["sha256"] == SHA256


def test_completing_twice_gives_the_same_answer(client: TestClient) -> None:
    upload_id = announce(client)
    patch(client, upload_id, 0, DATA)
    assert complete(client, upload_id) == complete(client, upload_id)
    assert patch(client, upload_id, len(DATA), b"more") == 409


def test_a_wrong_offset_is_refused_and_changes_nothing(client: TestClient) -> None:
    upload_id = announce(client)
    patch(client, upload_id, 0, DATA[:100])
    for wrong in (0, 99, 101, 10**9):
        assert patch(client, upload_id, wrong, DATA[100:200]) == 409
    assert stands_at(client, upload_id) == 100


@pytest.mark.parametrize("header", ["", "-1", "1.5", "٣", "9" * 30, "0x10"])
def test_an_offset_that_is_no_number_is_refused(client: TestClient, header: str) -> None:
    upload_id = announce(client)
    answer = client.patch(
        f"{routes.PREFIX}/{upload_id}", headers={"Upload-Offset": header.encode()}, content=b"x"
    )
    assert answer.status_code == 400
    assert "Upload-Offset" in answer.json()["message"]


def test_a_wrong_sha256_is_refused_and_leaves_nothing(client: TestClient) -> None:
    upload_id = announce(client, sha256="0" * 64)
    patch(client, upload_id, 0, DATA)
    status, body = complete(client, upload_id)
    assert status == 422
    assert "sha256" in str(body["message"])
    assert list(settings().uploads_dir.iterdir()) == []


def test_a_file_over_the_limit_is_refused_before_it_is_sent(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_MAX_UPLOAD_GIB", "0.000001")
    settings.cache_clear()  # the ticket is older, and lets in more
    answer = client.post(routes.PREFIX, headers={"Upload-Length": "2000"}, json={"name": "x"})
    assert answer.status_code == 413
    assert "2,000" in answer.json()["message"] and answer.json()["hint"]


def test_more_bytes_than_announced_are_refused(client: TestClient) -> None:
    upload_id = announce(client, size=100)
    assert patch(client, upload_id, 0, DATA) == 413
    assert uploads.offset(upload_id) <= 100


def test_a_disk_near_its_floor_refuses(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_FREE_FLOOR_GIB", "100000000")
    settings.cache_clear()
    answer = client.post(routes.PREFIX, headers={"Upload-Length": "10"}, json={"name": "x"})
    assert answer.status_code == 507


def test_too_many_unfinished_uploads_are_refused_till_one_ends(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_UNFINISHED_UPLOADS", "2")
    settings.cache_clear()
    first, _ = announce(client), announce(client)
    refused = client.post(routes.PREFIX, headers={"Upload-Length": "10"}, json={"name": "x"})
    assert refused.status_code == 429
    assert "up to 2" in refused.json()["message"] and refused.json()["hint"]
    assert int(refused.headers["Retry-After"]) > 0
    patch(client, first, 0, DATA)
    assert complete(client, first)[0] == 200
    announce(client)


def test_unfinished_uploads_over_the_bytes_allowed_are_refused(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_UNFINISHED_GIB", str(1000 / 1024**3))
    settings.cache_clear()
    announce(client, size=600)
    refused = client.post(routes.PREFIX, headers={"Upload-Length": "401"}, json={"name": "x"})
    assert refused.status_code == 429
    assert all(number in refused.json()["message"] for number in ("600", "401", "1,000"))
    announce(client, size=400)


def test_nobody_announces_more_than_half_of_the_room(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_UNFINISHED_GIB", str(1000 / 1024**3))
    monkeypatch.setenv("ASSAY_MAX_UPLOAD_GIB", str(400 / 1024**3))
    settings.cache_clear()
    uploads.create("a", 300, by="one")
    with pytest.raises(UploadError, match="the 500 that one person may") as caught:
        uploads.create("b", 300, by="one")
    assert caught.value.status == 429
    uploads.create("b", 200, by="one")
    uploads.create("c", 400, by="two")


def test_uploads_announced_at_once_never_pass_the_quota_together(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_UNFINISHED_UPLOADS", "5")
    settings.cache_clear()

    def taken(_: int) -> bool:
        try:
            uploads.create("m.pt", 100)
        except UploadError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(taken, range(64))) == 5
    assert len(list(settings().uploads_dir.iterdir())) == 5


def test_one_person_may_not_take_every_place(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_UNFINISHED_EACH", "1")
    settings.cache_clear()
    announce(client)
    mine = client.post(routes.PREFIX, headers={"Upload-Length": "10"}, json={"name": "x"})
    assert mine.status_code == 429
    assert "1 of your uploads" in mine.json()["message"]
    client.headers["Upload-Ticket"] = tickets.issue("another session")
    announce(client)


def test_what_comes_after_it_was_withdrawn_is_refused(client: TestClient) -> None:
    upload_id = announce(client)
    with uploads.Appender(upload_id, 0) as part:
        part.write(b"x")
        assert client.delete(f"{routes.PREFIX}/{upload_id}").status_code == 204
        with pytest.raises(NotFound):
            part.write(b"x")


def test_an_empty_file_is_refused(client: TestClient) -> None:
    answer = client.post(routes.PREFIX, headers={"Upload-Length": "0"}, json={"name": "x"})
    assert answer.status_code == 400


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"name": 3}', b'{"sha256": "zz"}', b"\xff"])
def test_a_body_that_does_not_fit_is_refused(client: TestClient, body: bytes) -> None:
    answer = client.post(routes.PREFIX, headers={"Upload-Length": "10"}, content=body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"message", "hint"}


def test_a_huge_body_is_not_read_to_its_end(client: TestClient) -> None:
    answer = client.post(routes.PREFIX, headers={"Upload-Length": "10"}, content=b" " * 100_000)
    assert answer.status_code == 413


@pytest.mark.parametrize("upload_id", ["..", "%2e%2e", "x", "0" * 32, "../../etc"])
def test_an_unknown_id_is_404_and_never_a_path(client: TestClient, upload_id: str) -> None:
    assert client.delete(f"{routes.PREFIX}/{upload_id}").status_code in (404, 405)
    assert client.head(f"{routes.PREFIX}/{upload_id}").status_code in (404, 405)


def test_withdrawing_removes_the_bytes(client: TestClient) -> None:
    upload_id = announce(client)
    patch(client, upload_id, 0, DATA)
    assert client.delete(f"{routes.PREFIX}/{upload_id}").status_code == 204
    assert list(settings().uploads_dir.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\models\\a.onnx", "a.onnx"),
        ("a\x00b\u202ecod.pt", "abcod.pt"),
        ("", "model"),
        ("..", "model"),
        ("é" * 300, "é" * 128),
        ("<img src=x onerror=alert(1)>.pt", "<img src=x onerror=alert(1)>.pt"),
    ],
)
def test_names_become_one_plain_line(given: str, kept: str) -> None:
    assert uploads.clean_name(given) == kept


def test_two_writers_do_not_mix(client: TestClient) -> None:
    upload_id = announce(client)
    with uploads.Appender(upload_id, 0):
        assert patch(client, upload_id, 0, DATA) == 409
    assert patch(client, upload_id, 0, DATA) == 204


def test_old_uploads_are_swept_and_new_ones_stay(client: TestClient) -> None:
    import time

    old, new = announce(client), announce(client)
    day_ago = time.time() - uploads.EXPIRES_AFTER_S - 10
    folder = settings().uploads_dir / old
    for path in (*folder.iterdir(), folder):
        os.utime(path, (day_ago, day_ago))
    assert uploads.sweep() == 1
    assert [path.name for path in settings().uploads_dir.iterdir()] == [new]
