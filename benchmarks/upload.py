"""One large upload to the served app: MB/s on loopback, and the web process's peak memory."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import sys
import time
from urllib.parse import urlsplit

from benchmarks.served import cpu_s, memory_mib, served
from engine import upload_ticket

SLICE = 16 << 20


def main(gib: float = 4.0) -> None:
    """Send ``gib`` GiB in slices as the page does, then complete, and print the figures."""
    size = int(gib * (1 << 30))
    block = os.urandom(SLICE)
    with served() as app:
        before, used = memory_mib(app.web_pid), cpu_s(app.web_pid)
        address = urlsplit(app.url).netloc
        connection = http.client.HTTPConnection(address)
        digest = hashlib.sha256()
        os.environ["ASSAY_DATA"] = str(app.data)
        headers = {"Upload-Length": str(size), "Upload-Ticket": upload_ticket("benchmark")}
        upload_id = ask(connection, "POST", "/api/v1/uploads", headers, b"{}")
        path = f"/api/v1/uploads/{json.loads(upload_id)['id']}"
        started = time.monotonic()
        for at in range(0, size, SLICE):
            part = block[: min(SLICE, size - at)]
            ask(connection, "PATCH", path, {"Upload-Offset": str(at)}, part)
        sent, used = time.monotonic() - started, cpu_s(app.web_pid) - used
        done = json.loads(ask(connection, "POST", f"{path}/complete", {}, b""))
        total = time.monotonic() - started
        for at in range(0, size, SLICE):
            digest.update(block[: min(SLICE, size - at)])
        if done["sha256"] != digest.hexdigest():
            raise SystemExit("the sha256 of what arrived is another one")
        peak = memory_mib(app.web_pid, "VmHWM")
        print(f"{gib:g} GiB sent at {size / sent / 1e6:.0f} MB/s (target >= 200)")
        print(f"web process: {used / gib:.2f} s of CPU a GiB")
        print(f"with sha256 and fsync: {size / total / 1e6:.0f} MB/s, {total:.1f} s")
        print(f"web process: {before:.0f} MiB before, {peak:.0f} MiB peak (target <= 120)")


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
) -> bytes:
    """One request; ends the benchmark when it is refused."""
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    said = answer.read()
    if answer.status >= 300:
        raise SystemExit(f"{method} {path}: {answer.status} {said.decode()}")
    return said


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
