"""Uploads as the page's uploader sends them: a ticket from the page, a turn, slices, a checksum."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.load.tally import Tally
from benchmarks.load.visiting import Tab, tab

SLICE = 16 << 20
ROUTE = "/api/v1/uploads"
PATIENCE_S = 120.0


@dataclass(frozen=True)
class File:
    """Bytes of no meaning on the disk, and their sha256. ``size`` in bytes."""

    path: Path
    size: int
    sha256: str


@dataclass
class Count:
    """How many uploads were begun, kept whole, cut and resumed on purpose, and told to wait."""

    begun: int = 0
    whole: int = 0
    cut: int = 0
    waited: int = 0
    seconds: float = 0.0
    """Of the rounds, from the first slice to the last checksum."""


def made(home: Path, count: int, size: int) -> list[File]:
    """So many files, each slice of each another one."""
    found, noise = [], os.urandom(SLICE)
    for number in range(count):
        path, digest = home / f"{number}.bin", hashlib.sha256()
        with path.open("wb") as file:
            for at in range(0, size, SLICE):
                block = (os.urandom(4096) + noise)[: min(SLICE, size - at)]
                digest.update(block)
                file.write(block)
        found.append(File(path, size, digest.hexdigest()))
    return found


async def rounds(
    url: str, files: Sequence[File], data: Path, begins: Sequence[float], tally: Tally
) -> Count:
    """All files at once, as often as ``begins`` says when (monotonic seconds); a tab for each."""
    count = Count()
    with ThreadPoolExecutor(len(files)) as pool:
        for begin in begins:
            await asyncio.sleep(begin - time.monotonic())
            began = time.monotonic()
            await asyncio.gather(
                *(
                    _from_a_tab(url, file, data, number % 4 == 0, count, tally, pool)
                    for number, file in enumerate(files)
                )
            )
            count.seconds += time.monotonic() - began
    return count


async def _from_a_tab(
    url: str,
    file: File,
    data: Path,
    cut: bool,
    count: Count,
    tally: Tally,
    pool: ThreadPoolExecutor,
) -> None:
    count.begun += 1
    async with tab(url) as socket:
        mine = Tab(socket, tally)
        await mine.open("model")
        sender = Sender(urlsplit(url).netloc, mine.ticket(), tally, count)
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(pool, sender.send, file, data, cut)
        except (OSError, http.client.HTTPException, RuntimeError) as error:
            tally.fault(f"an upload was lost: {error!r}")
            return
    if found == (file.sha256, file.sha256):
        count.whole += 1
    else:
        tally.fault(f"an upload arrived as other bytes: {found}")


class Sender:
    """One uploader: what the page's own does, with a connection of its own."""

    def __init__(self, address: str, ticket: str, tally: Tally, count: Count) -> None:
        self._address, self._ticket, self._tally, self._count = address, ticket, tally, count
        self._connection = http.client.HTTPConnection(address, timeout=PATIENCE_S)

    def send(self, file: File, data: Path, cut: bool) -> tuple[str, str]:
        """The sha256 that the server found, and that of the file it keeps, which then goes."""
        headers = {"Upload-Length": str(file.size), "Upload-Ticket": self._ticket}
        upload = json.loads(self._ask("POST", ROUTE, headers)[1])["id"]
        path = f"{ROUTE}/{upload}"
        with file.path.open("rb") as source:
            at = self._slice(path, 0, b"")  # asks for a turn
            while at < file.size:
                source.seek(at)
                block = source.read(SLICE)
                if cut and at > file.size // 2:
                    cut, at = False, self._break_off(path, at, block)
                else:
                    at = self._slice(path, at, block)
        found = json.loads(self._ask("POST", f"{path}/complete", {})[1])["sha256"]
        self._connection.close()  # the server closes what is idle for five seconds
        with (data / "uploads" / upload / "file").open("rb") as kept:
            there = hashlib.file_digest(kept, "sha256").hexdigest()
        self._ask("DELETE", path, {})
        return found, there

    def _slice(self, path: str, at: int, block: bytes) -> int:
        headers, _ = self._ask("PATCH", path, {"Upload-Offset": str(at)}, block)
        return int(headers["Upload-Offset"])

    def _break_off(self, path: str, at: int, block: bytes) -> int:
        """Half a slice, then no connection any more; gives where to go on."""
        self._connection.putrequest("PATCH", path)
        for name, value in (("Upload-Offset", at), ("Content-Length", len(block))):
            self._connection.putheader(name, str(value))
        self._connection.endheaders(block[: len(block) // 2])
        self._connection.close()
        self._count.cut += 1
        while True:
            here = int(self._ask("HEAD", path, {})[0]["Upload-Offset"])
            try:
                return self._slice(path, here, b"")
            except _Busy:  # what was under way is still being written
                time.sleep(0.2)

    def _ask(
        self, method: str, path: str, headers: dict[str, str], body: bytes = b""
    ) -> tuple[http.client.HTTPMessage, bytes]:
        while True:
            began = time.monotonic()
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            said = answer.read()
            self._tally.answer(f"upload: {method}", answer.status, time.monotonic() - began)
            if answer.status == 429:
                self._count.waited += 1
                time.sleep(float(answer.headers["Retry-After"]))
            elif answer.status == 409:
                raise _Busy
            elif answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status} {said.decode()}")
            else:
                return answer.headers, said


class _Busy(RuntimeError):
    """Another request still writes, or the upload stands elsewhere."""
