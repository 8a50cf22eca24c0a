"""What a worker cannot do, tried from inside real ones, at every tier this machine has."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import Reason, TaskFailed, UnsafeModel
from engine.jobs.isolation import bubblewrap, devices, grants, inside, launching, refusals, tiers
from engine.jobs.isolation.tiers import Tier
from engine.jobs.protocol import Limits, Task
from engine.jobs.run import run_task
from engine.settings import settings
from engine.tasks import identify
from tests.engine.jobs.conftest import PATIENT, PROBE_WORKER, TESTS, alive

HOLDING = [tier for tier in (Tier.A, Tier.B) if tiers.sandbox(tier).tier]
NONE_HOLDS = pytest.param(
    Tier.C, marks=pytest.mark.skip(reason="this machine has neither bubblewrap nor Landlock")
)
Run = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture(params=HOLDING or [NONE_HOLDS])
def held(request: pytest.FixtureRequest, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Tier:
    """A tier that holds workers, required by the operator."""
    require(request.param, monkeypatch)
    monkeypatch.setattr(launching, "WORKER", PROBE_WORKER)
    monkeypatch.setattr(grants, "CODE", (*grants.CODE, TESTS))
    tier: Tier = request.param
    return tier


def require(tier: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_SANDBOX", tier)
    settings.cache_clear()
    if tier in HOLDING:
        assert tiers.tier() == tier  # tried once a process, and so before a test spoils it


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Sockets of every kind that listen, and whether one of them was reached."""
    tcp, path, abstract = socket.create_server(("127.0.0.1", 0)), *map(socket.socket, [1, 1])
    name = f"assay-{os.getpid()}"
    path.bind(str(tmp_path / "s"))
    abstract.bind(f"\0{name}")
    for end in (path, abstract):
        end.listen()
    yield {"port": tcp.getsockname()[1], "socket": str(tmp_path / "s"), "abstract": name}
    for end in (tcp, path, abstract):
        end.setblocking(False)
        with pytest.raises(BlockingIOError):
            end.accept()
        end.close()


def run_in(tmp_path: Path, task: Task) -> dict[str, Any]:
    return run_task(task, tmp_path / "data" / "jobs" / "one", lambda: False, lambda event: None)


def test_a_worker_gets_nothing_but_what_its_task_names(
    held: Tier, tmp_path: Path, listening: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    canary, outside, named = (tmp_path / name for name in ("canary", "outside", "named"))
    for file in (canary, named):
        file.write_text("hunter2")
    # A process with the secret in its environment from its start, as the host's would be.
    with subprocess.Popen(["sleep", "600"], env={"SECRET_TOKEN": "hunter2"}) as host:
        request = {
            "canary": str(canary),
            "outside": str(outside),
            "named": str(named),
            "source": str(named),
            "host": host.pid,
            **listening,
        }
        try:
            found = run_in(tmp_path, Task("escape", "Escape", request, PATIENT))
        finally:
            host.kill()
    got_out = {name for name, said in found["said"].items() if said == "done"}
    # A link to what cannot be read is not forbidden to make; bubblewrap's /tmp is its own.
    assert got_out <= ({"write beside", "list a folder"} if held is Tier.A else set())
    assert set(found["work"].values()) == {"done"}
    assert (canary.read_text(), named.read_text(), found["named"]) == ("hunter2",) * 3
    assert not outside.exists()
    assert "hunter2" not in str(found["environment"])
    folder = str(tmp_path / "data" / "jobs" / "one")
    strangers = [
        path for path in found["open"] if not path.startswith((folder, "/dev/null", "/proc/"))
    ]
    assert not strangers


def test_an_unknown_kind_of_path_is_not_opened() -> None:
    """A person's text, and what a worker said of a model, open nothing."""
    request = {
        "prompt": "/etc",
        "artifact": {"path": "/usr/lib/model.onnx", "lineage": [{"options": {"path": "/etc"}}]},
        "recipe": {"path": "/etc"},
        "source": "digits",
        "data": None,
    }
    assert grants.grants_for(request, Path("/tmp")).data == (Path("/usr/lib"),)


@pytest.mark.parametrize("how", ["child", "runaway"])
def test_children_end_with_their_worker_at_every_tier(
    held: Tier, probe: Callable[..., dict[str, Any]], how: str, tmp_path: Path
) -> None:
    assert probe(how)["began"]
    deadline = time.monotonic() + 5
    while alive(tmp_path):
        assert time.monotonic() < deadline, "the worker's child is still there"
        time.sleep(0.05)


def test_what_a_forsaken_process_takes_is_counted(
    held: Tier, probe: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    with pytest.raises(TaskFailed, match=r"had taken 0\.\d GiB of memory") as caught:
        probe("forsake", limits=Limits(wall_s=60, stall_s=60, memory_bytes=1024**3 // 2))
    assert caught.value.reason is Reason.OUT_OF_MEMORY
    assert not alive(tmp_path)


def test_a_tier_that_is_gone_fails_the_task(
    held: Tier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never is a task run unheld since its sandbox could not be made."""
    if held is Tier.A:
        monkeypatch.setattr(bubblewrap, "PROGRAM", "no-such-program")
    else:
        monkeypatch.setattr(
            launching, "_command", lambda order, parent: unconfinable(order.folder, parent)
        )
    with pytest.raises(TaskFailed) as caught:
        run_in(tmp_path, Task("probe", "Probe", {"do": "answer"}, PATIENT))
    assert caught.value.reason is Reason.SANDBOX_UNAVAILABLE
    assert not (tmp_path / "data/jobs/one/out").exists()


def unconfinable(folder: Path, parent: int) -> list[str]:
    """A worker in which a thread runs before it could be confined."""
    code = (
        "import sys, threading; from engine.jobs import worker; from pathlib import Path;"
        "threading.Thread(target=threading.Event().wait, daemon=True).start();"
        "sys.exit(worker.main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))"
    )
    return [sys.executable, "-c", code, str(folder), str(parent)]


def test_bubblewrap_that_is_refused_fails_the_task(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if Tier.A not in HOLDING:
        pytest.skip("bubblewrap does not work on this machine")
    require("A", monkeypatch)
    assert tiers.tier() is Tier.A
    monkeypatch.setattr(bubblewrap, "_ALONE", ("--no-such-option",))
    with pytest.raises(TaskFailed) as caught:
        run_in(tmp_path, Task("probe", "Probe", {"do": "answer"}, PATIENT))
    assert caught.value.reason is Reason.SANDBOX_UNAVAILABLE
    assert "bwrap" in caught.value.message


@pytest.mark.parametrize(
    ("asked", "words"), [("D", "'D', and can be A, B or C"), ("A", "bubblewrap is not installed")]
)
def test_a_required_tier_is_never_replaced_by_another(
    asked: str, words: str, tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require(asked, monkeypatch)
    monkeypatch.setattr(bubblewrap, "PROGRAM", "no-such-program")
    monkeypatch.setattr(tiers, "sandbox", tiers.sandbox.__wrapped__)
    with pytest.raises(TaskFailed) as caught:
        run_in(tmp_path, Task("probe", "Probe", {"do": "answer"}, PATIENT))
    assert caught.value.reason is Reason.SANDBOX_UNAVAILABLE
    assert words in caught.value.message


def test_the_strongest_tier_that_works_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    lacks = {Tier.A: "no bubblewrap", Tier.B: "no Landlock", Tier.C: None}
    monkeypatch.setattr(tiers, "_lack", lacks.get)
    found = tiers.sandbox.__wrapped__("")
    assert (found.tier, found.why) == (Tier.C, ("no bubblewrap", "no Landlock"))
    assert "No bubblewrap; no Landlock." in found.words
    lacks[Tier.B] = None
    assert tiers.sandbox.__wrapped__("").tier is Tier.B


def test_more_than_one_thread_cannot_be_confined() -> None:
    import threading

    done = threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    with pytest.raises(inside.NotConfined, match="threads run already"):
        inside.confine(grants.grants_for({}, Path("/tmp")))
    done.set()
    other.join()


@pytest.mark.parametrize("kind", ["torchscript", "exported", "savedmodel"])
def test_without_a_sandbox_models_that_hold_code_are_refused(
    kind: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("C", monkeypatch)
    brought = {"path": str(workspace / "models" / "m" / "model"), "format": kind}
    with pytest.raises(UnsafeModel, match="programs"):
        launching.launch(Task("verify", "Verify", {"artifact": brought}), workspace)
    made = {**brought, "path": str(workspace / "artifacts" / "a" / "model")}
    refusals.refuse_code({"artifact": made})


def test_without_a_sandbox_a_torchscript_file_is_not_opened(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests import models

    made = models.converted(models.eager(tmp_path), "torchscript", tmp_path / "made")
    require("C", monkeypatch)
    request = {"origin": "upload", "source": str(made.path), "name": "net.pt"}
    with pytest.raises(UnsafeModel, match="TorchScript files are programs"):
        identify.run(request, models.task_folder(tmp_path / "out"))


def test_a_gpu_is_opened_for_the_tasks_that_need_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(devices, "_DEV", tmp_path)
    assert devices.devices_for({"target": "tensorrt"}) == ()
    monkeypatch.setattr("engine.nvidia.has_nvidia_gpu", lambda: True)
    assert devices.devices_for({"target": "tensorrt"}) == (tmp_path / "nvidia0",)
    assert devices.devices_for({"artifact": {"format": "onnx"}}) == ()
