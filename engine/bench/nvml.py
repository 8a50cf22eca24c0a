"""NVML, the NVIDIA driver's own account of a GPU: its energy, its memory, its clock.

Spoken to directly (https://docs.nvidia.com/deploy/nvml-api/): the library comes with the driver, no
package is needed. What it does not tell is None.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

LIBRARY = "libnvidia-ml.so.1"
_SUCCESS, _NOT_SUPPORTED = 0, 3
_OF_MULTIPROCESSORS = 1
"""Of the clocks that NVML knows, the one that kernels run by."""
_MOST_PROCESSES = 512
_NOT_TOLD = 2**64 - 1

SLOWED = {
    0x04: "its power limit",
    0x08: "its hardware",
    0x20: "its temperature, by the driver",
    0x40: "its temperature, by the hardware",
    0x80: "its power supply",
}
"""Who holds a clock back, by NVML's bits. The others (idle, set clocks) hold nobody back."""
FROM_OUTSIDE = SLOWED[0x80]
"""Power and heat are the model's own doing as well: only this one is a disturbance for sure."""


class NoGpu(Exception):
    """NVML opens no GPU here, and why, as the middle of a sentence."""


class _Memory(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in ("total", "free", "used")]


class _Process(ctypes.Structure):
    _fields_ = [
        ("pid", ctypes.c_uint),
        ("used", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    ]


@dataclass(frozen=True, slots=True)
class Card:
    """The first GPU, on which models run. It counts millijoules since the driver was loaded."""

    library: Any
    handle: Any
    name: str = "GPU 0"
    wraps_uj: int = 0

    def read_uj(self) -> int:
        """Microjoules since the driver was loaded. Raises OSError."""
        told = ctypes.c_ulonglong()
        status = self.library.nvmlDeviceGetTotalEnergyConsumption(self.handle, ctypes.byref(told))
        if status == _NOT_SUPPORTED:
            raise OSError(f"{self.name} has no counter of its energy: it is older than Volta")
        if status != _SUCCESS:
            raise OSError(f"NVML does not read the energy of {self.name} (error {status})")
        return int(told.value) * 1000

    def used_bytes(self) -> int | None:
        """Memory in use on the whole card, whoever uses it."""
        told = _Memory()
        return int(told.used) if self._ask("nvmlDeviceGetMemoryInfo", ctypes.byref(told)) else None

    def process_bytes(self, pid: int) -> int | None:
        """Memory of one process. None, too, where it goes by another number outside its namespace.

        That is so in a sandbox of its own process numbers (tier A).
        """
        count, told = ctypes.c_uint(_MOST_PROCESSES), (_Process * _MOST_PROCESSES)()
        if not self._ask("nvmlDeviceGetComputeRunningProcesses_v3", ctypes.byref(count), told):
            return None
        found = (int(one.used) for one in told[: count.value] if one.pid == pid)
        return next((used for used in found if used != _NOT_TOLD), None)

    def clock_mhz(self) -> int | None:
        """The clock of its multiprocessors, now."""
        told = ctypes.c_uint()
        kind = ctypes.c_uint(_OF_MULTIPROCESSORS)
        said = self._ask("nvmlDeviceGetClockInfo", kind, ctypes.byref(told))
        return int(told.value) if said else None

    def slowed(self) -> tuple[str, ...]:
        """What holds its clock back, now, in the words of ``SLOWED``."""
        told = ctypes.c_ulonglong()
        self._ask("nvmlDeviceGetCurrentClocksThrottleReasons", ctypes.byref(told))
        return tuple(word for bit, word in SLOWED.items() if told.value & bit)

    def _ask(self, function: str, *told: Any) -> bool:
        """Whether NVML has this function and answered; drivers differ in what they have."""
        asked = getattr(self.library, function, None)
        return asked is not None and asked(self.handle, *told) == _SUCCESS


def card(library: str = LIBRARY) -> Card:
    """The first GPU. Raises NoGpu with the reason."""
    try:
        opened = ctypes.CDLL(library)
    except OSError as error:
        raise NoGpu(f"there is no NVIDIA driver with {library}") from error
    handle = ctypes.c_void_p()
    for status in (
        opened.nvmlInit_v2(),
        opened.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(0), ctypes.byref(handle)),
    ):
        if status != _SUCCESS:
            raise NoGpu(f"NVML does not open a GPU (error {status})")
    return Card(opened, handle)
