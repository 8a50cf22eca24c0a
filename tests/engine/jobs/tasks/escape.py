"""A task that tries to get out of its worker, and says what came of each attempt."""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine.jobs.protocol import Context

_CLONE_NEWUSER, _IO_URING_SETUP, _BPF, _KEYCTL, _PTRACE = 0x10000000, 425, 321, 250, 101
_TRACE_ME = 0


def run(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Each attempt by name: "done", or the error that stopped it."""
    attempts: dict[str, Callable[[], object]] = {
        "read a file": lambda: Path(request["canary"]).read_text(),
        "read by a link": lambda: _linked(context.out / "link", Path(request["canary"])),
        "list a folder": lambda: os.listdir(Path(request["canary"]).parent),
        "hard-link a file": lambda: os.link(request["canary"], context.out / "hard"),
        "read the list of users": lambda: Path("/etc/passwd").read_text(),
        "write beside": lambda: Path(request["outside"]).write_text("was here"),
        "truncate a file": lambda: os.truncate(request["canary"], 0),
        "write what was named to read": lambda: Path(request["named"]).write_text("changed"),
        "change the kernel": lambda: os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY),
        "connect by TCP": lambda: socket.create_connection(("127.0.0.1", request["port"]), 2),
        "connect by TCP over IPv6": lambda: socket.socket(socket.AF_INET6),
        "send by UDP": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        "connect to a pathname": lambda: _connect(request["socket"]),
        "connect to an abstract name": lambda: _connect(f"\0{request['abstract']}"),
        "point a pair elsewhere": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM),
        "read the host's environment": lambda: _environment(request["host"]),
        "signal the host": lambda: os.kill(request["host"], 0),
        "a namespace": lambda: _call(272, _CLONE_NEWUSER),
        "io_uring": lambda: _call(_IO_URING_SETUP, 1, ctypes.create_string_buffer(120)),
        "bpf": lambda: _call(_BPF, 0, struct.pack("=5I", 2, 4, 8, 1, 0), 20),
        "keyctl": lambda: _call(_KEYCTL, 0, -3, 1),
        "ptrace": lambda: _call(_PTRACE, _TRACE_ME, 0, 0, 0),
        "memory that is nowhere counted": lambda: os.close(os.memfd_create("hidden")),
        "more room than there is": lambda: _fill(Path("/dev/shm/junk"), 257),
        "a file among the devices": lambda: Path("/dev/junk").write_text("x"),
        "let others adopt its orphans": lambda: _call(157, 36, 0, 0, 0, 0),
        "a child reads": lambda: _in_child(f"open({request['canary']!r}).read()"),
        "a child connects": lambda: _in_child("import socket; socket.socket()"),
    }
    said = {name: _outcome(attempt) for name, attempt in attempts.items()}
    return {
        "said": said,
        "named": Path(request["named"]).read_text(),
        "environment": dict(os.environ),
        "open": sorted(os.readlink(f"/proc/self/fd/{fd}") for fd in _descriptors()),
        "work": {name: _outcome(attempt) for name, attempt in _work(context).items()},
    }


def _work(context: Context) -> dict[str, Callable[[], object]]:
    """What must go on: all that the frameworks ask of a system."""
    return {
        "write its own": lambda: (context.out / "made.txt").write_text("made"),
        "rename its own": lambda: (context.out / "made.txt").rename(context.out / "kept.txt"),
        "random numbers": lambda: Path("/dev/urandom").open("rb").read(8),
        "nothing": lambda: Path("/dev/null").write_text("x"),
        "the processors": lambda: Path("/sys/devices/system/cpu/online").read_text(),
        "the memory": lambda: Path("/proc/meminfo").read_text(),
        "its own peak": lambda: Path("/proc/self/clear_refs").write_text("5"),
        "a thread": lambda: _thread(),
        "a child": lambda: subprocess.run([sys.executable, "-c", "pass"], check=True),
        "a pair": lambda: [end.close() for end in socket.socketpair()],
        "shared memory": lambda: mmap.mmap(-1, 4096).close(),
        "its own child's end": lambda: _end_child(),
    }


def _outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except (OSError, subprocess.SubprocessError, ImportError) as error:
        return type(error).__name__
    return "done"


def _fill(file: Path, mib: int) -> None:
    try:
        with file.open("wb") as out:
            for _ in range(mib):
                out.write(bytes(1024**2))
    finally:
        file.unlink(missing_ok=True)


def _linked(link: Path, target: Path) -> str:
    link.symlink_to(target)
    return link.read_text()


def _connect(name: str) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(name)


def _environment(pid: int) -> str:
    """Of the host as it is known outside, and of every process that can be seen at all."""
    for place in (f"/proc/{pid}/environ", *map(str, Path("/proc").glob("[0-9]*/environ"))):
        try:
            text = Path(place).read_bytes()
        except OSError:
            continue
        if b"hunter2" in text:
            return "found"
    raise PermissionError("nowhere")


def _call(number: int, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _in_child(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.DEVNULL)


def _thread() -> None:
    from threading import Thread

    thread = Thread(target=int)
    thread.start()
    thread.join()


def _end_child() -> None:
    with subprocess.Popen(["sleep", "600"]) as child:
        child.send_signal(signal.SIGKILL)


def _descriptors() -> list[int]:
    return [
        fd for fd in map(int, os.listdir("/proc/self/fd")) if os.path.exists(f"/proc/self/fd/{fd}")
    ]
