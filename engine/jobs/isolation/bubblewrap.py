"""Bubblewrap: a worker in a file system, a network and a list of processes of its own.

https://github.com/containers/bubblewrap
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.jobs.isolation import seccomp
from engine.jobs.isolation.grants import Grants

PROGRAM = "bwrap"
INIT = 1
"""The parent of a worker, as it sees its processes: it dies with bubblewrap, and all with it."""
_WAIT_S = 10
_SCRATCH_BYTES = 256 * 1024**2
_ALONE = (
    *("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"),
    *("--cap-drop", "ALL", "--uid", "1000", "--gid", "1000", "--hostname", "worker"),
    *("--proc", "/proc", "--dev", "/dev"),
    *("--size", str(_SCRATCH_BYTES), "--tmpfs", "/dev/shm"),
    *("--size", str(_SCRATCH_BYTES), "--tmpfs", "/tmp"),
)
_SWITCHES = ("sys", "irq", "bus", "fs", "driver", "acpi", "scsi", "tty", "sysrq-trigger", "mtrr")
"""Of ``/proc``, what rules the machine. Assay started by root would own it inside, too."""


def command(grants: Grants, filter_handle: int) -> list[str]:
    """What to put before the worker's own command line; ``filter_handle`` is an open filter."""
    binds = [*_code(grants.code), *_each("--ro-bind", grants.kernel)]
    if os.geteuid() == 0:
        binds += _each("--ro-bind-try", (Path("/proc", name) for name in _SWITCHES))
    binds += _each("--ro-bind", grants.data)
    binds += _each("--dev-bind", grants.devices)
    binds += _each("--bind", (grants.home,))
    seal = [
        "--remount-ro",
        "/",
        "--remount-ro",
        "/dev",
        "--seccomp",
        str(filter_handle),
        "--chdir",
        str(grants.home),
    ]
    return [PROGRAM, *_ALONE, *binds, *seal, "--"]


@contextmanager
def open_filter() -> Iterator[int]:
    """The system-call filter in an open file without a name, as bubblewrap takes it."""
    handle = os.memfd_create("filter")
    try:
        os.write(handle, seccomp.program())
        os.lseek(handle, 0, os.SEEK_SET)
        yield handle
    finally:
        os.close(handle)


def trial(grants: Grants) -> str | None:
    """Start Python inside once. Gives why it does not work here; None where it does."""
    with open_filter() as handle:
        try:
            done = subprocess.run(
                [*command(grants, handle), sys.executable, "-I", "-c", "import ctypes, json"],
                pass_fds=(handle,),
                env={"PATH": os.defpath},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_WAIT_S,
            )
        except FileNotFoundError:
            return "bubblewrap is not installed"
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"bubblewrap does not run: {error}"
    if done.returncode == 0:
        return None
    return f"bubblewrap is refused here: {(done.stderr.strip().splitlines() or ['no reason'])[-1]}"


def _code(paths: Iterable[Path]) -> list[str]:
    """Code, read only. What is a link (``/lib``) stays one: every bind costs half a millisecond."""
    found: list[str] = []
    for path in paths:
        if path.is_symlink():
            found += ["--symlink", str(path.resolve()), str(path)]
        else:
            found += ["--ro-bind", str(path), str(path)]
    return found


def _each(flag: str, paths: Iterable[Path]) -> list[str]:
    return [word for path in paths for word in (flag, str(path), str(path))]
