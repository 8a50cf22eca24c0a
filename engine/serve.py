"""Everything at once, for ``make run``: the web and, beside it, the host that runs the jobs."""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import engine
from engine.doorway import LOOPBACK, Doorway, doorway
from engine.errors import BadRequest, EngineError
from engine.jobs import locks
from engine.settings import settings

_ROOT = Path(engine.__file__).resolve().parent.parent
_HEALTH = "/_stcore/health"
_TICK_S = 0.25
_PATIENCE_S = 60.0
_GOODBYE_S = 15.0
_LONGEST_BACK_OFF_S = 30.0
_PR_SET_PDEATHSIG = 1
_MEMORY = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(4 << 20),
}
"""glibc, for the web: large pieces (of uploads) are given back when they are free, and many threads
share two arenas. Left to itself it keeps a hundred MiB after a busy hour."""


def add_command(commands: Any) -> None:
    """Put ``serve`` among the commands of the shell."""
    serving = commands.add_parser("serve", help="serve the pages, with a host beside them")
    serving.add_argument("--port", type=int, default=8501)
    serving.add_argument(
        "--address", default=LOOPBACK, metavar="IP", help="listen there; default: this machine only"
    )
    serving.add_argument(
        "--name",
        default="",
        metavar="HOST[:PORT]",
        help="as the browser's address bar shows it, where that is not the address",
    )
    serving.add_argument(
        "--without-login",
        action="store_true",
        help="others may reach it, and whoever does may do everything",
    )
    serving.set_defaults(command=_command)


def _command(asked: argparse.Namespace) -> int:
    return serve(
        doorway(asked.address, asked.port, name=asked.name, without_login=asked.without_login)
    )


def serve(door: Doorway) -> int:
    """Serve until SIGTERM or SIGINT. Raises EngineError when the port is taken or nothing comes."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    _refuse_taken(door)
    host = _Kept("host", _start_host, elsewhere=lambda: locks.held(locks.host_lock()))
    web = _Kept("web", partial(_start_web, door))
    try:
        web.keep()
        host.keep()
        _wait_healthy(door, web, stopping)
        if not stopping.is_set():
            sys.stdout.write(f"Assay is at {door.url}\n")
            sys.stdout.flush()
        while not stopping.wait(_TICK_S):
            host.keep()
            web.keep()
    finally:
        web.end()
        host.end()
    return 0


@dataclass(slots=True)
class _Kept:
    """A process that is started again when it dies, ever slower: neither takes the other along.

    ``elsewhere``: whether one runs already that is not ours.
    """

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    elsewhere: Callable[[], bool] = lambda: False
    process: subprocess.Popen[bytes] | None = None
    back_off_s: float = 1.0
    not_before: float = field(default=0.0)

    @property
    def alive(self) -> bool:
        """Whether ours runs."""
        return self.process is not None and self.process.poll() is None

    def keep(self) -> None:
        """See that there is one."""
        now = time.monotonic()
        if self.alive or now < self.not_before or self.elsewhere():
            return
        if self.process is not None:
            status = self.process.returncode
            sys.stderr.write(f"The {self.name} process ended (status {status}): started again.\n")
        self.back_off_s = min(self.back_off_s * 2, _LONGEST_BACK_OFF_S)
        self.not_before = now + self.back_off_s
        self.process = self.start()

    def end(self) -> None:
        """End it, if it is ours. One that ran before goes on."""
        if self.process is not None:
            _end(self.process)


def _start_host() -> subprocess.Popen[bytes]:
    return _start([sys.executable, "-m", "engine", "host"])


def _start_web(door: Doorway) -> subprocess.Popen[bytes]:
    return _start(
        [
            *(sys.executable, "-m", "engine.api.heads", "run", "streamlit_app.py"),
            *("--server.port", str(door.port), "--server.address", door.address),
            *("--server.headless", "true", "--secrets.files", str(settings().secrets)),
        ],
        ASSAY_PUBLIC_HOST=door.host,
        **_MEMORY,
    )


def _start(command: list[str], **more: str) -> subprocess.Popen[bytes]:
    """A process that ends with this one; a Ctrl-C in the shell reaches it only through us."""
    return subprocess.Popen(
        command,
        cwd=_ROOT,
        env={**os.environ, **more},
        process_group=0,
        stdin=subprocess.DEVNULL,
        preexec_fn=_tie_to_parent,
    )


def _tie_to_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_GOODBYE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _refuse_taken(door: Doorway) -> None:
    family = socket.AF_INET6 if ":" in door.address else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((door.address, door.port))
        except (OSError, OverflowError) as error:
            raise BadRequest(
                f"Port {door.port} of {door.address} cannot be used: {error}.",
                hint="Perhaps Assay runs there already; otherwise choose another: "
                f"PORT={door.port + 1}",
            ) from error


def _wait_healthy(door: Doorway, web: _Kept, stopping: threading.Event) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not stopping.is_set() and not _healthy(door):
        if not web.alive or time.monotonic() > deadline:
            raise EngineError("The web process did not start.", hint="Its last words are above.")
        time.sleep(_TICK_S / 2)


def _healthy(door: Doorway) -> bool:
    asked = Request(f"http://{door.here}{_HEALTH}", headers={"Host": door.host or door.here})
    try:
        with urlopen(asked, timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
