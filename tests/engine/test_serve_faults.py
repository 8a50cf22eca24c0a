"""The web process, or all of Assay, killed while something is under way."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import socket
from pathlib import Path

import pytest

from engine import store
from engine.jobs import client, locks
from engine.jobs.protocol import JobState
from engine.pipeline import ImportRequest
from engine.sources import tickets, uploads
from tests.engine.jobs.hosting import ended, hosts, lines, sleeper, submit
from tests.serving import serving, until, web_pid

MIB = 1024**2


def killed(serving_pid: int) -> None:
    """``kill -9`` of the web process; another one is started in its place."""
    first = web_pid(serving_pid)
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(lambda: web_pid(serving_pid) not in (None, first))


def answers(port: int) -> bool:
    try:
        return asked(port, "GET", "/_stcore/health")[0] == 200
    except OSError:
        return False


def asked(
    port: int, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """One request: status, headers and body of its answer."""
    with http_connection(port) as connection:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()


class http_connection(http.client.HTTPConnection):
    """One that is closed at the end of a block."""

    def __init__(self, port: int) -> None:
        super().__init__("127.0.0.1", port, timeout=30)

    def __enter__(self) -> http_connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def test_a_job_goes_on_when_the_web_process_is_killed(
    workspace: Path, tmp_path: Path, port: int
) -> None:
    marks = tmp_path / "marks"
    with hosts(workspace) as start:
        host = start()
        until(client.host_alive)
        with serving(port) as process:
            job_id = submit(sleeper("one", 4, marks), sleeper("two", 0, marks))
            until(lambda: lines(marks))
            killed(process.pid)
            until(lambda: answers(port))
            view = ended(job_id)
            assert view.state is JobState.DONE
            assert [line[:2] for line in lines(marks)] == [
                [name, what] for name in ("one", "two") for what in ("begin", "end")
            ]
        assert host.poll() is None


def test_an_upload_goes_on_when_the_web_process_is_killed(workspace: Path, port: int) -> None:
    content = os.urandom(16 * MIB)
    with serving(port) as process:
        announced = json.dumps({"name": "model.onnx"}).encode()
        announcing = {
            "Upload_Length": str(len(content)),
            "Upload_Ticket": tickets.issue("a session"),
        }
        status, _, body = asked(port, "POST", "/api/v1/uploads", announced, **announcing)
        assert status == 201
        place = f"/api/v1/uploads/{json.loads(body)['id']}"
        with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
            line.sendall(
                f"PATCH {place} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpload-Offset: 0\r\n"
                f"Content-Length: {len(content)}\r\n\r\n".encode()
                + content[: 10 * MIB]
            )
            until(lambda: uploads.offset(place.rpartition("/")[2]) >= 8 * MIB)
            killed(process.pid)
        until(lambda: answers(port))
        _, headers, _ = asked(port, "HEAD", place)
        here = int(headers["upload-offset"])
        assert 8 * MIB <= here <= 10 * MIB
        status, _, _ = asked(port, "PATCH", place, content[here:], Upload_Offset=str(here))
        assert status == 204
        status, _, body = asked(port, "POST", f"{place}/complete")
        assert (status, json.loads(body)["sha256"]) == (200, hashlib.sha256(content).hexdigest())


@pytest.mark.timeout(300)
def test_a_job_goes_on_when_all_of_assay_was_killed(workspace: Path, port: int) -> None:
    job_id = client.submit_import(ImportRequest("sample", "digits"))
    with serving(port) as process:
        until(lambda: client.job(job_id).state is JobState.RUNNING)
        process.kill()
        process.wait()
        until(lambda: not locks.held(locks.host_lock()))
    assert not client.job(job_id).state.ended
    assert "not running" in client.job(job_id).message
    with serving(port):
        view = ended(job_id)
    assert view.state is JobState.DONE, view
    assert store.models.load(view.result["model_id"])
