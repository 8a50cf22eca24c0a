"""A served Assay to measure: web and host on a free port with data of their own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Served:
    """Where it answers, the process id of its web part, and how long it took to be healthy."""

    url: str
    web_pid: int
    data: Path
    healthy_s: float


@contextmanager
def served() -> Iterator[Served]:
    """Start as `make run` does; stop at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "ASSAY_DATA": f"{home}/data", "ASSAY_LOCK_DIR": home}
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "engine", "serve", "--port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait(url)
            healthy = time.monotonic() - started
            yield Served(url, web_pid(process.pid), Path(home) / "data", healthy)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def wait(url: str) -> None:
    """Until /healthz answers JSON."""
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=2) as answer:
                if answer.headers.get_content_type() == "application/json":
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise SystemExit("not healthy after 30 s")


def web_pid(parent: int) -> int:
    """The child of ``serve`` that runs streamlit."""
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
            above = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        if above == parent and "streamlit" in command:
            return pid
    raise SystemExit("the web process was not found")


def memory_mib(pid: int, field: str = "VmRSS") -> float:
    """A size from /proc/<pid>/status, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"{field} is not in /proc/{pid}/status")


def cpu_s(pid: int) -> float:
    """CPU seconds a process has used so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS
