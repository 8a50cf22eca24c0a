"""Web and host together, as ``make run`` starts them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from engine.jobs import locks
from engine.jobs.isolation import tiers
from tests.serving import host_pid, serving, until

ROOT = Path(__file__).parents[2]


def addresses_but_ours() -> set[str]:
    """Other addresses of this machine: a second one of loopback, and what the network sees."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent: it only chooses an address
            outward = str(probe.getsockname()[0])
        except OSError:
            outward = "127.0.0.2"
    return {"127.0.0.2", outward} - {"127.0.0.1"}


def test_it_serves_restarts_a_dead_host_and_ends_everything(workspace: Path, port: int) -> None:
    with serving(port) as process:
        with urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
            assert answer.status == 200
            assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
        for elsewhere in addresses_but_ours():
            with pytest.raises(OSError):
                socket.create_connection((elsewhere, port), timeout=2)
        until(lambda: locks.held(locks.host_lock()))
        first = host_pid(process.pid)
        assert first is not None
        os.kill(first, signal.SIGKILL)
        until(lambda: host_pid(process.pid) not in (None, first))
        until(lambda: locks.held(locks.host_lock()))
    assert process.returncode == 0
    assert not locks.held(locks.host_lock())


def test_a_taken_port_is_one_sentence(workspace: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "engine", "serve", "--port", str(number)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert str(number) in done.stderr and "Traceback" not in done.stderr
    assert not locks.held(locks.host_lock())


def test_a_host_that_runs_already_is_used_and_left_alone(workspace: Path, port: int) -> None:
    with locks.single(locks.host_lock()) as only:
        assert only
        with serving(port) as process:
            assert host_pid(process.pid) is None
        assert locks.held(locks.host_lock())


def test_others_are_not_served_by_chance(workspace: Path, port: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "engine", "serve", "--port", str(port), "--address", "0.0.0.0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "nobody there would have to log in" in done.stderr and "--without-login" in done.stderr
    assert "Traceback" not in done.stderr


def test_asked_for_it_serves_others_under_its_name_only(workspace: Path, port: int) -> None:
    if tiers.sandbox("").tier not in (tiers.Tier.A, tiers.Tier.B):
        pytest.skip(f"no sandbox of tier A or B here: {tiers.sandbox('').words}")
    name = f"assay.test:{port}"
    with serving(port, "--address", "0.0.0.0", "--name", name, "--without-login"):
        url = f"http://127.0.0.1:{port}/healthz"
        with urlopen(Request(url, headers={"Host": name}), timeout=30) as answer:
            assert answer.status == 200
        with pytest.raises(HTTPError, match="403") as refused:
            urlopen(url, timeout=30)
        assert name in refused.value.read().decode()
        refused.value.close()
