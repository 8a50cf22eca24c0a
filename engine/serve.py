"""Everything at once, for ``make run``: the web and, beside it, the host that runs the jobs."""

from __future__ import annotations

import ctypes
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import engine
from engine.errors import BadRequest, EngineError
from engine.jobs import locks

_ROOT = Path(engine.__file__).resolve().parent.parent
_ADDRESS = "127.0.0.1"
_HEALTH = "/_stcore/health"
_TICK_S = 0.25
_PATIENCE_S = 60.0
_GOODBYE_S = 15.0
_LONGEST_BACK_OFF_S = 30.0
_PR_SET_PDEATHSIG = 1


def serve(port: int) -> int:
    """Serve until SIGTERM or SIGINT. Raises EngineError when the port is taken or nothing comes."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    _refuse_taken(port)
    host, web = _Host(), _start_web(port)
    try:
        host.keep()
        _wait_healthy(port, web, stopping)
        if not stopping.is_set():
            sys.stdout.write(f"Assay is at http://{_ADDRESS}:{port}\n")
            sys.stdout.flush()
        while not stopping.wait(_TICK_S):
            host.keep()
            if web.poll() is not None:
                raise EngineError(
                    f"The web process ended by itself (status {web.returncode}).",
                    hint="Its last words are above.",
                )
    finally:
        _end(web)
        host.end()
    return 0


@dataclass(slots=True)
class _Host:
    """The host process: ours, or one that runs already. Started again when it dies, ever slower."""

    process: subprocess.Popen[bytes] | None = None
    back_off_s: float = 1.0
    not_before: float = field(default=0.0)

    def keep(self) -> None:
        """See that there is a host."""
        now = time.monotonic()
        if self.process is not None and self.process.poll() is None:
            return
        if now < self.not_before or locks.held(locks.host_lock()):
            return
        self.back_off_s = min(self.back_off_s * 2, _LONGEST_BACK_OFF_S)
        self.not_before = now + self.back_off_s
        self.process = _start([sys.executable, "-m", "engine", "host"])

    def end(self) -> None:
        """End the host, if it is ours. One that ran before goes on."""
        if self.process is not None:
            _end(self.process)


def _start_web(port: int) -> subprocess.Popen[bytes]:
    return _start(
        [
            *(sys.executable, "-m", "streamlit", "run", "streamlit_app.py"),
            *("--server.port", str(port), "--server.address", _ADDRESS),
            *("--server.headless", "true"),
        ]
    )


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    """A process that ends with this one; a Ctrl-C in the shell reaches it only through us."""
    return subprocess.Popen(
        command, cwd=_ROOT, process_group=0, stdin=subprocess.DEVNULL, preexec_fn=_tie_to_parent
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


def _refuse_taken(port: int) -> None:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((_ADDRESS, port))
        except (OSError, OverflowError) as error:
            raise BadRequest(
                f"Port {port} cannot be used: {error}.",
                hint=f"Perhaps Assay runs there already; otherwise choose another: PORT={port + 1}",
            ) from error


def _wait_healthy(port: int, web: subprocess.Popen[bytes], stopping: threading.Event) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not stopping.is_set() and not _healthy(port):
        if web.poll() is not None or time.monotonic() > deadline:
            raise EngineError("The web process did not start.", hint="Its last words are above.")
        time.sleep(_TICK_S / 2)


def _healthy(port: int) -> bool:
    try:
        with urlopen(f"http://{_ADDRESS}:{port}{_HEALTH}", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
