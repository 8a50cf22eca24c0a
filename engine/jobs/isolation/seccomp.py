"""A filter over system calls, written as the kernel's own BPF: what no worker needs is refused.

https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

_ARCHITECTURES = {"x86_64": (0xC000003E, 0, 317, 435), "aarch64": (0xC00000B7, 1, 277, 435)}
"""By machine: the kernel's name of it, its column below, its calls ``seccomp`` and ``clone3``."""

_REFUSED = {
    # No network, and no socket of another process: datagram pairs could be pointed at one.
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    # No look into, and no hold on, another process.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    # No memory or messages shared by a number anybody can guess.
    "shmget": (29, 194),
    "shmat": (30, 196),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    # No other view of the file system.
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "unshare": (272, 97),
    "setns": (308, 268),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "mknodat": (259, 33),
    "fanotify_init": (300, 262),
    # None of the kernel's larger machines.
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "memfd_secret": (447, 447),
    "lookup_dcookie": (212, 18),
    # None of what rules the machine.
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "vhangup": (153, 58),
    "kexec_file_load": (320, 294),
}
_REFUSED_HERE: tuple[dict[str, int], ...] = (
    {"mknod": 133, "iopl": 172, "ioperm": 173, "modify_ldt": 154, "uselib": 134, "ustat": 136},
    {},
)
_ABSENT = {
    # Libraries do without io_uring, and glibc starts threads by clone where clone3 is not there:
    # clone3 keeps its flags where no filter sees them.
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # Memory that no count of a process shows; what would use it takes other memory.
    "memfd_create": (319, 279),
}
_FEIGNED = {"setsid": (112, 157), "setpgid": (109, 154)}
"""Answered with success and not done: all a worker starts stays in its group, and ends with it."""
_CLONE, _SOCKETPAIR, _PRCTL = (56, 220), (53, 199), (157, 167)
_SET_CHILD_SUBREAPER = 36
_NAMESPACES = 0x7E020000  # every CLONE_NEW…

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCH, _ARGUMENT = 0, 4, 16
_X32 = 0x40000000
_SOCK_DGRAM, _TYPE = 2, 0xF
_SET_FILTER, _GET_ACTION, _ALL_THREADS = 1, 2, 1


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def available() -> bool:
    """Whether this kernel takes such filters, and this machine's calls are known here."""
    if platform.machine() not in _ARCHITECTURES:
        return False
    action = ctypes.c_uint32(_ERRNO)
    call = _ARCHITECTURES[platform.machine()][2]
    return bool(_libc().syscall(call, _GET_ACTION, 0, ctypes.byref(action)) == 0)


def program() -> bytes:
    """The filter for this machine, as bubblewrap and the kernel take it."""
    kernel_name, column, _, clone3 = _ARCHITECTURES[platform.machine()]
    code = [_step(_LOAD, _ARCH), _step(_EQUAL, kernel_name, 1, 0), _step(_RETURN, _KILL)]
    code.append(_step(_LOAD, _NUMBER))
    if column == 0:  # x86-64 has a second set of numbers for the same calls
        code += [_step(_AT_LEAST, _X32, 0, 1), _step(_RETURN, _KILL)]
    refused = [numbers[column] for numbers in _REFUSED.values()]
    absent = [*(numbers[column] for numbers in _ABSENT.values()), clone3]
    feigned = [numbers[column] for numbers in _FEIGNED.values()]
    for numbers, answer in (
        ([*refused, *_REFUSED_HERE[column].values()], errno.EPERM),
        (absent, errno.ENOSYS),
        (feigned, 0),
    ):
        for number in numbers:
            code += [_step(_EQUAL, number, 0, 1), _step(_RETURN, _ERRNO | answer)]
    code += _looked_at(_CLONE[column], 0, _step(_ANY_BIT, _NAMESPACES, 0, 1))
    kind = [_step(_AND, _TYPE), _step(_EQUAL, _SOCK_DGRAM, 0, 1)]
    code += _looked_at(_SOCKETPAIR[column], 1, *kind)
    # Whose parent is gone is the worker's: there it is counted, and so it shall stay.
    code += _looked_at(_PRCTL[column], 0, _step(_EQUAL, _SET_CHILD_SUBREAPER, 0, 1))
    return b"".join([*code, _step(_RETURN, _ALLOW)])


def load(code: bytes) -> None:
    """Filter every thread of this process, for good. Raises OSError."""
    filled = _Program(len(code) // 8, code)
    call = _ARCHITECTURES[platform.machine()][2]
    if _libc().syscall(call, _SET_FILTER, _ALL_THREADS, ctypes.byref(filled)) != 0:
        raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")


def _looked_at(number: int, argument: int, *test: bytes) -> list[bytes]:
    """Refuse a call where the test of its argument (64 bits, the low half read) holds."""
    inner = [_step(_LOAD, _ARGUMENT + 8 * argument), *test, _step(_RETURN, _ERRNO | errno.EPERM)]
    return [_step(_EQUAL, number, 0, len(inner) + 1), *inner, _step(_RETURN, _ALLOW)]


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
