"""Uploads that trickle or stand still are cut and go on; those too many at a time wait."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import httpx
import pytest
import websockets
import websockets.sync.client

from engine.api.pace import paced
from engine.api.turns import KEPT_S, Turns
from engine.api.uploads import PREFIX
from engine.errors import UploadError
from engine.settings import settings
from engine.sources import tickets
from engine.sources.uploads import Upload
from tests.e2e.conftest import serving

DATA = os.urandom(300_000)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Assay as `make run` serves it, of little patience: two uploads at a time, one a person."""
    data = tmp_path_factory.mktemp("paced") / "data"
    limits = {
        "ASSAY_UPLOAD_PATIENCE_S": "1",
        "ASSAY_UPLOAD_LEAST_KB_S": "1000",
        "ASSAY_UPLOADS_AT_ONCE": "2",
        "ASSAY_UPLOADS_EACH": "1",
        "ASSAY_HEAD_PATIENCE_S": "3",
    }
    with serving(data, **limits) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_DATA", str(data))
        settings.cache_clear()
        yield urlsplit(url).netloc
    settings.cache_clear()


class Client:
    """Somebody with a session of their own."""

    def __init__(self, address: str, session: str) -> None:
        self.address, self.ticket = address, tickets.issue(session)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"http://{self.address}{path}"
        return httpx.request(method, url, content=body, headers=named, timeout=60)

    def announce(self) -> str:
        """The path of a new upload."""
        size = str(len(DATA))
        answer = self.ask("POST", PREFIX, Upload_Length=size, Upload_Ticket=self.ticket)
        assert answer.status_code == 201, answer.text
        return str(answer.headers["Location"])

    def knock(self, path: str) -> httpx.Response:
        return self.ask("PATCH", path, Upload_Offset=str(self.offset(path)))

    def offset(self, path: str) -> int:
        return int(self.ask("HEAD", path).headers["Upload-Offset"])

    def finish(self, path: str) -> None:
        """Send what is missing, and find that all of it is there."""
        at = self.offset(path)
        assert self.ask("PATCH", path, DATA[at:], Upload_Offset=str(at)).status_code == 204
        done = self.ask("POST", f"{path}/complete")
        assert done.status_code == 200
        assert done.json()["sha256"] == hashlib.sha256(DATA).hexdigest()


@contextmanager
def sending(client: Client, path: str, announced: int) -> Iterator[socket.socket]:
    """A request under way that says it will bring so many bytes."""
    host, port = client.address.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as line:
        head = f"PATCH {path} HTTP/1.1\r\nHost: {client.address}\r\nUpload-Offset: 0\r\n"
        line.sendall(f"{head}Content-Length: {announced}\r\n\r\n".encode())
        yield line


def said(line: socket.socket) -> tuple[int, dict[str, str]]:
    """Status and JSON of the answer; the server then hangs up by itself."""
    text = b""
    while part := line.recv(65536):
        text += part
    head, _, body = text.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def test_an_upload_that_stands_still_is_cut_in_words_and_goes_on(served: str) -> None:
    client = Client(served, "still")
    path = client.announce()
    with sending(client, path, len(DATA)) as line:
        line.sendall(DATA[:1000])
        status, answer = said(line)
    assert status == 408
    assert "1 s" in answer["message"] and "1000 kB a second" in answer["message"]
    assert "HEAD" in answer["hint"]
    assert client.offset(path) == 1000
    client.finish(path)


def test_an_upload_that_trickles_is_cut_and_goes_on(served: str) -> None:
    client = Client(served, "trickle")
    path = client.announce()
    sent = 0
    with sending(client, path, len(DATA)) as line:
        line.settimeout(0.02)
        while True:
            try:
                line.sendall(DATA[sent : sent + 10])  # never still, never 1 MB a second
                sent += 10
                if line.recv(1, socket.MSG_PEEK):
                    break
            except TimeoutError:
                continue
        line.settimeout(60)
        status, _ = said(line)
    assert status == 408
    assert 0 < client.offset(path) <= sent
    client.finish(path)


def test_a_head_that_never_ends_is_hung_up_on(served: str) -> None:
    host, port = served.split(":")
    with ExitStack() as lines:
        silent, trickling, again = (
            lines.enter_context(socket.create_connection((host, int(port)), timeout=60))
            for _ in range(3)
        )
        again.sendall(f"GET /healthz HTTP/1.1\r\nHost: {served}\r\n\r\n".encode())
        assert again.recv(65536).startswith(b"HTTP/1.1 200")
        again.sendall(b"GET /healthz HTTP/1.1\r\n")  # a second head on the same line
        trickling.settimeout(0.2)
        trickling.sendall(b"GET /healthz HTTP/1.1\r\n")
        begun = time.monotonic()
        with suppress(ConnectionError):
            while time.monotonic() < begun + 60:
                with suppress(TimeoutError):
                    trickling.sendall(b"X-Slow: 1\r\n")
                    if not trickling.recv(1):
                        break
        assert time.monotonic() < begun + 30
        for line in (silent, again):
            with suppress(ConnectionError):
                while line.recv(65536):  # what is left of an answer, then the end
                    pass


def test_a_page_stays_open_longer_than_a_head_may_take(served: str) -> None:
    """Its websocket began as a request."""
    session = websockets.sync.client.connect(
        f"ws://{served}/_stcore/stream", subprotocols=[websockets.Subprotocol("streamlit")]
    )
    with session as line:
        time.sleep(4)
        assert line.ping().wait(30)


def test_words_that_come_too_slowly_announce_nothing(served: str) -> None:
    client = Client(served, "words")
    host, port = served.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as line:
        head = f"POST {PREFIX} HTTP/1.1\r\nHost: {served}\r\nUpload-Length: 10\r\n"
        head += f"Upload-Ticket: {client.ticket}\r\nContent-Length: 100\r\n\r\n{{"
        line.sendall(head.encode())
        assert said(line)[0] == 408


def test_a_person_waits_for_their_own_turn_and_others_for_one_of_all(served: str) -> None:
    one, two, three = (Client(served, name) for name in ("one", "two", "three"))
    first, second = one.announce(), one.announce()
    assert one.knock(first).status_code == 204
    waiting = one.knock(second)
    assert waiting.status_code == 429
    assert int(waiting.headers["Retry-After"]) > 0
    assert "1 of your uploads" in waiting.json()["message"]
    theirs, last = two.announce(), three.announce()
    assert two.knock(theirs).status_code == 204
    full = three.knock(last)
    assert full.status_code == 429
    assert "2 uploads" in full.json()["message"]
    one.finish(first)
    assert one.knock(second).status_code == 204, "the first is done"
    two.ask("DELETE", theirs)
    assert three.knock(last).status_code == 204, "the other was withdrawn"
    one.finish(second)
    three.finish(last)


def test_a_turn_that_brings_nothing_is_lost() -> None:
    clock = [0.0]
    turns = Turns(lambda: clock[0])
    uploads = [Upload(str(number), "m.pt", 1, by="somebody") for number in range(5)]
    for upload in uploads[:4]:
        with turns.taken(upload):
            pass
    with pytest.raises(UploadError) as refused, turns.taken(uploads[4]):
        pass
    assert (refused.value.status, refused.value.retry_after_s) == (429, 5)
    clock[0] = KEPT_S
    with turns.taken(uploads[4]):
        pass


def test_a_turn_with_a_request_under_way_is_kept_however_long_it_takes() -> None:
    clock = [0.0]
    turns = Turns(lambda: clock[0])
    busy = [Upload(str(number), "m.pt", 1, by="somebody") for number in range(4)]
    with turns.taken(busy[0]), turns.taken(busy[1]), turns.taken(busy[2]), turns.taken(busy[3]):
        clock[0] = 1e6
        turns.end(busy[0].id)  # withdrawn, but its bytes still come
        with pytest.raises(UploadError), turns.taken(Upload("x", "m.pt", 1, by="somebody")):
            pass
    with turns.taken(Upload("x", "m.pt", 1, by="somebody")):
        pass


def test_time_of_our_own_is_not_the_senders(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_UPLOAD_PATIENCE_S", "0.05")
    settings.cache_clear()

    async def write(*, ours: bool) -> bool:
        reached = False
        with paced() as pace:
            if ours:
                with pace.stopped():
                    await anyio.sleep(0.2)
            else:
                await anyio.sleep(0.2)
            reached = True
        if not reached:
            with pytest.raises(UploadError, match="slower"):
                pace.check()
        return reached

    # In a thread of its own: a browser that an earlier test opened keeps a loop in this one.
    with ThreadPoolExecutor(1) as apart:
        assert apart.submit(anyio.run, lambda: write(ours=True)).result()
        assert not apart.submit(anyio.run, lambda: write(ours=False)).result()
