"""What tests of whole hosts share: jobs of probe tasks, and waiting for what comes of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.jobs import client
from engine.jobs.protocol import JobView
from tests.engine.jobs.probe_host import ProbeRequest

ROOT = Path(__file__).parents[3]
PATIENCE_S = 60.0
Start = Callable[..., subprocess.Popen[bytes]]


@contextmanager
def hosts(logs: Path) -> Iterator[Start]:
    """Start hosts on this test's own data folder; all are ended with it."""
    started: list[subprocess.Popen[bytes]] = []

    def run(**environment: str) -> subprocess.Popen[bytes]:
        with (logs / f"host-{len(started)}.log").open("wb") as log:
            host = subprocess.Popen(
                [sys.executable, "-m", "tests.engine.jobs.probe_host"],
                cwd=ROOT,
                # These tasks leave marks where no sandbox would let them.
                env={**os.environ, "ASSAY_SANDBOX": "C", **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        started.append(host)
        return host

    try:
        yield run
    finally:
        for host in started:
            host.terminate()
            host.wait(30)


def until(found: Callable[[], Any]) -> Any:
    """Wait until something is so, and give it."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if value := found():
            return value
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def ended(job_id: str) -> JobView:
    """The job, once it has ended."""
    view: JobView = until(lambda: (v := client.job(job_id)).state.ended and v)
    return view


def submit(*tasks: dict[str, Any], kind: str = "probe") -> str:
    return client.submit(kind, "A test", ProbeRequest(tasks, alone=kind == "measure"))


def sleeper(name: str, seconds: float, marks: Path) -> dict[str, Any]:
    return {"do": "sleep", "name": name, "seconds": seconds, "marks": str(marks)}


def lines(marks: Path) -> list[list[str]]:
    return [line.split() for line in marks.read_text().splitlines()] if marks.exists() else []
