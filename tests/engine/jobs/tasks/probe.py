"""A task that does to its worker what the request says."""

from __future__ import annotations

import mmap
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine.errors import InvalidModel
from engine.jobs.protocol import Context


def run(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Do ``request["do"]``; leaves a mark in ``request["marks"]`` first, if given."""
    context.progress("began", 0.25)
    if marks := request.get("marks"):
        with Path(marks).open("a") as file:
            file.write(f"{request['name']} begin {time.monotonic()} {os.getpid()}\n")
    result = _ACTS[request["do"]](request, context)
    if marks:
        with Path(marks).open("a") as file:
            file.write(f"{request['name']} end {time.monotonic()} {os.getpid()}\n")
    context.progress("finished", 1.0)
    return result


def _answer(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    (context.out / "made.txt").write_text("made")
    return {"answer": 42, "environment": dict(os.environ), "cwd": os.getcwd()}


def _sleep(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    time.sleep(request["seconds"])
    return {"slept": request["seconds"]}


def _spin(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    while True:
        pass


def _let_spin(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    subprocess.run([sys.executable, "-c", "while True: pass"], check=True)
    return {}


def _stubborn(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)
    return {}


def _segfault(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGSEGV)
    return {}


def _abort(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    sys.stderr.write("GGML_ASSERT failed\n")
    os.abort()


def _score(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    return {"score": int(Path("/proc/self/oom_score_adj").read_text())}


def _killed(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def _leave(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    sys.stdout.write("last words\n")
    sys.stdout.flush()
    os._exit(request.get("status", 0))


def _read_late(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Its artifact, once that is gone."""
    path = Path(request["artifact"]["path"])
    while path.exists():
        time.sleep(0.02)
    return {"read": path.read_text()}


def _refuse(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    raise InvalidModel("Not a model.", hint="Bring another.")


def _bug(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    raise KeyError("nothing of that name")


def _greedy(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    return {"size": len(bytearray(4 * 1024**3))}


def _swell(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Faster than anybody looks, and past every limit but the kernel's."""
    return {"size": len(b"x" * (2 * 1024**3))}


def _hoard(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Children that each keep within any limit of a single process, and wait."""
    code = "import time; held = b'x' * (200 * 1024**2); time.sleep(600)"
    children = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    return {"ended": [child.wait() for child in children]}


def _share(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Memory shared with nobody: no limit of a process counts it."""
    held = [mmap.mmap(-1, 200 * 1024**2) for _ in range(4)]
    for one in held:
        for start in range(0, len(one), 4096):
            one[start] = 1
    time.sleep(600)
    return {}


def _multiply(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Processes by the thousand: the half of a fork bomb that can be counted."""
    for _ in range(2000):
        if os.fork() == 0:
            signal.pause()
    time.sleep(600)
    return {}


def _forsake(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Memory of a process whose parent has ended: below nobody any more."""
    code = "import time; held = b'x' * (800 * 1024**2); time.sleep(600)"
    if (between := os.fork()) == 0:
        subprocess.Popen([sys.executable, "-c", code])
        os._exit(0)
    os.waitpid(between, 0)
    time.sleep(600)
    return {}


def _litter(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Files where nobody looks, and a folder that nobody may open."""
    home = context.out.parent
    (home / "junk").write_bytes(b"x" * 4096)
    (home / "closed" / "deep").mkdir(parents=True)
    (home / "closed" / "deep" / "junk").write_bytes(b"x" * 4096)
    (home / "closed").chmod(0)
    if request.get("close"):
        home.chmod(0o500)
        os._exit(0)
    with (home / "events.jsonl").open("a") as feed:
        feed.write("x" * 9 * 1024**2)
    raise InvalidModel("It was not to be read.")


def _nan(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    return {"value": float("nan")}


def _flood(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    line = "x" * 1024**2 + "\n"
    for _ in range(request["mib"]):
        sys.stdout.write(line)
        sys.stdout.flush()
        time.sleep(request["pause_s"])
    return {}


def _child(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    return {"began": _sleeper(context, leaves=False)}


def _runaway(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    if os.environ["ASSAY_SANDBOX"] == "C":
        return {"began": _sleeper(context, leaves=False)}
    return {"began": _sleeper(context, leaves=True)}


def _stray(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """A child that leaves the worker's session, beside a worker that does not end."""
    _sleeper(context, leaves=True)
    time.sleep(600)
    return {}


def _sleeper(context: Context, *, leaves: bool) -> int:
    code = "import time; time.sleep(600)"
    command = [sys.executable, "-c", code, str(context.out)]
    return subprocess.Popen(command, start_new_session=leaves).pid


def _full(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    with Path("/dev/full").open("w") as file:
        file.write("x")
    return {}


def _fill(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """The disk, to its last page; then wait, as one does who tries again."""
    with (context.out / "made").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            time.sleep(2)
            raise
    return {}


def _no_room(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
    return {}


def _other_words(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    raise RuntimeError("I/O error: No space left on device (os error 28)")


def _links(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    os.symlink("/etc/hostname", context.out.parent / "result.json")
    os._exit(0)


_ACTS: dict[str, Callable[[Mapping[str, Any], Context], dict[str, Any]]] = {
    "abort": _abort,
    "answer": _answer,
    "sleep": _sleep,
    "spin": _spin,
    "score": _score,
    "stray": _stray,
    "swell": _swell,
    "let_spin": _let_spin,
    "stubborn": _stubborn,
    "segfault": _segfault,
    "killed": _killed,
    "leave": _leave,
    "read_late": _read_late,
    "refuse": _refuse,
    "bug": _bug,
    "greedy": _greedy,
    "hoard": _hoard,
    "multiply": _multiply,
    "share": _share,
    "nan": _nan,
    "forsake": _forsake,
    "litter": _litter,
    "fill": _fill,
    "flood": _flood,
    "child": _child,
    "runaway": _runaway,
    "full": _full,
    "no_room": _no_room,
    "other_words": _other_words,
    "links": _links,
}
