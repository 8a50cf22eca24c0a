"""What a worker does to itself before it reads its request: it gives up all it will not need."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from engine.jobs.isolation import landlock, seccomp
from engine.jobs.isolation.grants import DEVICES, Grants

_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITIES_VERSION = 0x20080522


class NotConfined(Exception):
    """The worker could not be confined, and must not run its task."""


def confine(grants: Grants) -> None:
    """Leave this process what the grants name, for good. Raises NotConfined."""
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        # Landlock holds for the thread that asks: one that runs already would stay free.
        raise NotConfined(f"{threads} threads run already")
    try:
        _give_up_privileges()
        landlock.restrict(_rules(grants))
        seccomp.load(seccomp.program())
    except OSError as error:
        raise NotConfined(str(error)) from error


def _rules(grants: Grants) -> list[tuple[Path, int]]:
    """``/proc`` is read: what other processes keep to themselves there stays theirs."""
    rules = [(path, landlock.RUN) for path in grants.code]
    rules += [(path, landlock.READ) for path in grants.data]
    rules += [(path, landlock.READ) for path in (*grants.kernel, Path("/proc"))]
    rules += [(Path(place), landlock.REWRITE) for place in DEVICES]
    rules += [(path, landlock.DEVICE) for path in grants.devices]
    # A memory pass resets its own peak there.
    rules.append((Path("/proc/self/clear_refs"), landlock.REWRITE))
    return [*rules, (grants.home, landlock.WRITE)]


def _give_up_privileges() -> None:
    """No capability, and none to be had by running another program. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
    nothing = (ctypes.c_uint32 * 6)()
    for status in (
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        libc.capset(header, nothing),
    ):
        if status != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
