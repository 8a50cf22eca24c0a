"""Landlock: a process gives up every file but those it names. By system call; no library needed.

https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same numbers on every architecture
_ASK_VERSION, _PATH_BENEATH = 1, 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE, _MAKE_DIR, _MAKE_REG = 1 << 4 | 1 << 5, 1 << 7, 1 << 8
_MAKE_SYM = 1 << 12
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_ALL_FILES = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights over files each version of the interface knows; they are the lowest bits."""
ENOUGH = 3
"""From this version on (Linux 6.2) a file cannot be emptied by whoever may only read it."""
_TCP = 0b11
_SCOPES = 0b11  # abstract UNIX sockets, and signals

READ = _READ_FILE | _READ_DIR
RUN = READ | _EXECUTE
WRITE = RUN | _WRITE_FILE | _REMOVE | _MAKE_DIR | _MAKE_REG | _MAKE_SYM | _REFER | _TRUNCATE
REWRITE = _READ_FILE | _WRITE_FILE | _TRUNCATE
DEVICE = REWRITE | _IOCTL_DEV
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV


def version() -> int:
    """The version of the interface this kernel speaks; 0 where it speaks none."""
    size, ask = ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION)
    return max(0, int(_libc().syscall(_CREATE, None, size, ask)))


def restrict(rules: Iterable[tuple[Path, int]]) -> None:
    """Leave this thread, and all it starts, the rights of the rules alone. Raises OSError.

    A rule holds for the path and everything below it. Paths that are not there are passed over.
    """
    known = version()
    if not known:
        raise OSError("this kernel has no Landlock")
    handled = (1 << _ALL_FILES[min(known, max(_ALL_FILES))]) - 1
    parts = (handled, _TCP if known >= 4 else None, _SCOPES if known >= 6 else None)
    attributes = b"".join(struct.pack("=Q", part) for part in parts if part is not None)
    ruleset = _call(_CREATE, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0))
    try:
        for path, rights in rules:
            _allow(ruleset, path, rights & handled)
        _call(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not stat.S_ISDIR(os.fstat(handle).st_mode):
        rights &= _OF_A_FILE
    rule = struct.pack("=Qi", rights, handle)
    _call(_ADD, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), rule, ctypes.c_uint32(0))
    # Left open below /proc/self: an inode that nobody holds may be forgotten there, and its rule.
    if not path.is_relative_to("/proc/self"):
        os.close(handle)


def _call(number: int, *arguments: object) -> int:
    found: int = _libc().syscall(number, *arguments)
    if found < 0:
        raise OSError(ctypes.get_errno(), f"Landlock: {os.strerror(ctypes.get_errno())}")
    return found


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
