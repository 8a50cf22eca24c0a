"""How a worker is started, held and ended.

A worker gets a session, a folder and an environment of its own; nothing of the host's secrets.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import engine
from engine.errors import EngineError
from engine.jobs.evidence import log_tail
from engine.jobs.isolation import bubblewrap
from engine.jobs.isolation.devices import devices_for
from engine.jobs.isolation.grants import Grants, grants_for
from engine.jobs.isolation.refusals import refuse_code
from engine.jobs.isolation.tiers import Tier, tier, unavailable
from engine.jobs.protocol import LOG, NOT_CONFINED, Task
from engine.jobs.strays import STARTED_BY, this_process
from engine.settings import settings
from engine.types import OWN_PROCESS

WORKER = "engine.jobs.worker"
_ROOT = Path(engine.__file__).resolve().parent.parent
_PRIVATE = 0o077
_PATIENCE_S = 2.0
_LOOK_S = 0.003


def launch(task: Task, folder: Path) -> subprocess.Popen[bytes]:
    """Start the worker of a task's folder, held as strongly as this machine can.

    Raises TaskFailed where it cannot be held as it must be, UnsafeModel for code it may not run.
    """
    held = tier()
    if held is Tier.C:
        refuse_code(task.request)
    environment = _minimal(folder, held) | dict(task.environment)
    grants = grants_for(task.request, folder, devices_for(task.request))
    return _spawner().start(_Order(folder, environment, held, grants))


def not_confined(status: int, folder: Path) -> bool:
    """Whether a worker that ended this way never began, since its sandbox could not be made."""
    return status == NOT_CONFINED or (status == 1 and log_tail(folder).startswith("bwrap: "))


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
    # Bubblewrap is gone before those it held are: what comes next must have the machine alone.
    deadline = time.monotonic() + _PATIENCE_S
    while _living(worker.pid) and time.monotonic() < deadline:
        time.sleep(_LOOK_S)


def _minimal(folder: Path, held: Tier) -> dict[str, str]:
    """The least a worker needs. The host's own environment stays outside."""
    may_run_code = settings().model_code and held is not Tier.C
    places = (str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin")
    return {
        "PATH": os.pathsep.join(places),
        "HOME": str(folder / "tmp"),
        "TMPDIR": str(folder / "tmp"),
        "LOGNAME": "worker",  # there is no list of users to look it up in
        "PYTHONPATH": str(_ROOT),
        "PYTHONHASHSEED": "0",
        "LANG": "C.UTF-8",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "ORT_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # as NVML counts: the card that is asked is the one used
        OWN_PROCESS: "1",
        STARTED_BY: this_process(),
        "ASSAY_ALLOW_MODEL_CODE": "1" if may_run_code else "",
        "ASSAY_SANDBOX": held,
    }


def _living(group: int) -> bool:
    """Whether a process of the group is more than a name that nobody has asked after yet."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of = file.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if of == str(group) and state not in "ZX":
            return True
    return False


def _signal_group(group: int, what: signal.Signals) -> None:
    try:
        os.killpg(group, what)
    except ProcessLookupError:
        return


@dataclass(frozen=True, slots=True)
class _Order:
    folder: Path
    environment: Mapping[str, str]
    held: Tier
    grants: Grants
    answer: Future[subprocess.Popen[bytes]] = field(default_factory=Future)


class _Spawner:
    """Starts workers from one thread that lives as long as the process.

    A worker dies with the *thread* that started it (PR_SET_PDEATHSIG), and the threads that run
    jobs come and go.
    """

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[_Order] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="spawner", daemon=True).start()

    def start(self, order: _Order) -> subprocess.Popen[bytes]:
        self._orders.put(order)
        return order.answer.result()

    def _serve(self) -> None:
        while True:
            order = self._orders.get()
            try:
                order.answer.set_result(_spawn(order))
            except (OSError, EngineError) as error:
                order.answer.set_exception(error)


@cache
def _spawner() -> _Spawner:
    return _Spawner()


def _spawn(order: _Order) -> subprocess.Popen[bytes]:
    (order.folder / "tmp").mkdir(exist_ok=True)
    if order.held is not Tier.A:
        told = [order.grants.as_json()] if order.held is Tier.B else []
        return _start(order, [*_command(order, os.getpid()), *told])
    with bubblewrap.open_filter() as handle:
        held = bubblewrap.command(order.grants, handle)
        try:
            return _start(order, [*held, *_command(order, bubblewrap.INIT)], handle)
        except FileNotFoundError as error:
            raise unavailable("bubblewrap was here when Assay started, and is gone.") from error


def _command(order: _Order, parent: int) -> list[str]:
    # -P: the folder the worker runs in must not be a place that modules are imported from.
    return [sys.executable, "-P", "-s", "-m", WORKER, str(order.folder), str(parent)]


def _start(order: _Order, command: list[str], *handles: int) -> subprocess.Popen[bytes]:
    with (order.folder / LOG).open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=order.folder,
            env=dict(order.environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            close_fds=True,
            pass_fds=handles,
            start_new_session=True,
            umask=_PRIVATE,
        )
