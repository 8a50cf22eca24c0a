"""How a worker is started and ended: the one place where a stronger sandbox goes.

A worker gets a session, a folder and an environment of its own; nothing of the host's secrets.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import engine
from engine.jobs.protocol import LOG
from engine.settings import settings
from engine.types import OWN_PROCESS

WORKER = "engine.jobs.worker"
_ROOT = Path(engine.__file__).resolve().parent.parent
_PRIVATE = 0o077
_PATIENCE_S = 2.0


def launch(folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start the worker of a task folder; ``environment`` comes on top of the minimal one."""
    return _spawner().start(folder, _minimal(folder) | dict(environment))


def end(worker: subprocess.Popen[bytes]) -> None:
    """End a worker and everything in its session: asked first, then killed. Safe to repeat."""
    _signal_group(worker.pid, signal.SIGTERM)
    try:
        worker.wait(_PATIENCE_S if worker.poll() is None else 0)
    except subprocess.TimeoutExpired:
        _signal_group(worker.pid, signal.SIGKILL)
    # Children may have outlived their leader.
    _signal_group(worker.pid, signal.SIGKILL)
    worker.wait()


def _minimal(folder: Path) -> dict[str, str]:
    """The least a worker needs. The host's own environment stays outside."""
    places = (str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin")
    return {
        "PATH": os.pathsep.join(places),
        "HOME": str(folder / "tmp"),
        "TMPDIR": str(folder / "tmp"),
        "PYTHONPATH": str(_ROOT),
        "PYTHONHASHSEED": "0",
        "LANG": "C.UTF-8",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "ORT_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        OWN_PROCESS: "1",
        "ASSAY_ALLOW_MODEL_CODE": "1" if settings().model_code else "",
    }


def _signal_group(group: int, what: signal.Signals) -> None:
    try:
        os.killpg(group, what)
    except ProcessLookupError:
        return


@dataclass(frozen=True, slots=True)
class _Order:
    folder: Path
    environment: Mapping[str, str]
    answer: Future[subprocess.Popen[bytes]]


class _Spawner:
    """Starts workers from one thread that lives as long as the process.

    A worker dies with the *thread* that started it (PR_SET_PDEATHSIG), and the threads that run
    jobs come and go.
    """

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[_Order] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="spawner", daemon=True).start()

    def start(self, folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        answer: Future[subprocess.Popen[bytes]] = Future()
        self._orders.put(_Order(folder, environment, answer))
        return answer.result()

    def _serve(self) -> None:
        while True:
            order = self._orders.get()
            try:
                order.answer.set_result(_spawn(order.folder, order.environment))
            except OSError as error:
                order.answer.set_exception(error)


@cache
def _spawner() -> _Spawner:
    return _Spawner()


def _spawn(folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    (folder / "tmp").mkdir(exist_ok=True)
    # -P: the folder the worker runs in must not be a place that modules are imported from.
    command = [sys.executable, "-P", "-s", "-m", WORKER, str(folder), str(os.getpid())]
    with (folder / LOG).open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            close_fds=True,
            start_new_session=True,
            umask=_PRIVATE,
        )
