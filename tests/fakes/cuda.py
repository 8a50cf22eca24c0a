"""PyCUDA's driver module over plain memory: what is asynchronous there happens late here, too.

Copies and launches wait in their stream until it is synchronized. Until then the target of a copy
to the host holds poison, so that reading too early gives nonsense and a test fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from time import perf_counter_ns
from types import ModuleType
from typing import Any

import numpy as np

POISON = 0xA5
_FIRST_ADDRESS, _ALIGNED = 0x7F0000000000, 256


class Error(Exception):
    """As ``pycuda.driver.Error``."""


class LogicError(Error):
    """Wrong use: no context, an address that is not allocated."""


class MemoryError(Error):
    """The card is full. PyCUDA's own name for it."""


@dataclass
class Gpu:
    """One card: its memory, its contexts, its streams, and what was done wrong."""

    name: str = "NVIDIA H100 80GB HBM3"
    capability: tuple[int, int] = (9, 0)
    memory: int = 1 << 30
    initialised: bool = False
    contexts: list[Any] = field(default_factory=list)
    allocations: dict[int, bytearray] = field(default_factory=dict)
    streams: dict[int, list[Callable[[], None]]] = field(default_factory=dict)
    launches: int = 0
    _addresses: Any = field(default_factory=lambda: count(_FIRST_ADDRESS, 1 << 30))

    def in_context(self) -> None:
        """Raise unless a context is current."""
        if not self.contexts:
            raise LogicError("invalid device context - no currently active context?")

    def allocate(self, size: int) -> int:
        self.in_context()
        if size < 1:
            raise LogicError("cuMemAlloc failed: invalid argument")
        if sum(map(len, self.allocations.values())) + size > self.memory:
            raise MemoryError("cuMemAlloc failed: out of memory")
        address = next(self._addresses)
        self.allocations[address] = bytearray([POISON]) * size
        return address

    def view(self, address: int, size: int) -> memoryview:
        """The bytes at an address. Raises where they are not all allocated."""
        held = self.allocations.get(address)
        if held is None or len(held) < size:
            raise LogicError("an illegal memory access was encountered")
        return memoryview(held)[:size]

    def later(self, handle: int, work: Callable[[], None]) -> None:
        """Do it when the stream is synchronized."""
        if handle not in self.streams:
            raise LogicError("invalid resource handle")
        self.streams[handle].append(work)


def driver(gpu: Gpu) -> ModuleType:
    """The module ``pycuda.driver`` for this card."""
    module = ModuleType("pycuda.driver")
    for kind in (Context, Device, DeviceAllocation, Event, Stream):
        setattr(module, kind.__name__, type(kind.__name__, (kind,), {"_gpu": gpu}))
    for error in (Error, LogicError, MemoryError):
        setattr(module, error.__name__, error)
    for function in (init, memcpy_htod_async, memcpy_dtoh_async, pagelocked_empty):
        setattr(module, function.__name__, partial(function, gpu))
    module.mem_alloc = module.DeviceAllocation
    return module


class Context:
    _gpu: Gpu

    def push(self) -> None:
        self._gpu.contexts.append(self)

    @classmethod
    def pop(cls) -> None:
        cls._gpu.in_context()
        cls._gpu.contexts.pop()


class Device:
    _gpu: Gpu

    def __init__(self, number: int) -> None:
        if not self._gpu.initialised:
            raise LogicError("cuDeviceGet failed: initialization error")
        if number != 0:
            raise LogicError("cuDeviceGet failed: invalid device ordinal")

    def name(self) -> str:
        return self._gpu.name

    def compute_capability(self) -> tuple[int, int]:
        return self._gpu.capability

    def retain_primary_context(self) -> Context:
        """Retained, and not yet current: that is what ``push`` is for."""
        return type("Context", (Context,), {"_gpu": self._gpu})()


class DeviceAllocation:
    _gpu: Gpu

    def __init__(self, size: int) -> None:
        self._address: int | None = self._gpu.allocate(size)

    def __int__(self) -> int:
        if self._address is None:
            raise LogicError("the memory was freed")
        return self._address

    def free(self) -> None:
        self._gpu.in_context()
        del self._gpu.allocations[int(self)]
        self._address = None


class Stream:
    _gpu: Gpu

    def __init__(self, flags: int = 0) -> None:
        self._gpu.in_context()
        self.handle = id(self)
        self._gpu.streams[self.handle] = []

    def synchronize(self) -> None:
        waiting, self._gpu.streams[self.handle] = self._gpu.streams[self.handle], []
        for work in waiting:
            work()


class Event:
    """Happens when its stream comes to it. Before that there is no time to be asked for."""

    _gpu: Gpu

    def __init__(self, flags: int = 0) -> None:
        self._gpu.in_context()
        self._at_ns: int | None = None

    def record(self, stream: Stream) -> Event:
        self._at_ns = None

        def happen() -> None:
            self._at_ns = perf_counter_ns()

        self._gpu.later(stream.handle, happen)
        return self

    def time_till(self, event: Event) -> float:
        """Milliseconds."""
        if self._at_ns is None or event._at_ns is None:
            raise LogicError("cuEventElapsedTime failed: device not ready")
        return (event._at_ns - self._at_ns) / 1e6


def init(gpu: Gpu) -> None:
    gpu.initialised = True


def memcpy_htod_async(gpu: Gpu, dest: Any, src: np.ndarray, stream: Stream) -> None:
    """The source is read when the copy happens, not when it is asked for."""
    _check_array(src)
    address = int(dest)
    gpu.view(address, src.nbytes)

    def copy() -> None:
        gpu.view(address, src.nbytes)[:] = src.tobytes()

    gpu.later(stream.handle, copy)


def memcpy_dtoh_async(gpu: Gpu, dest: np.ndarray, src: Any, stream: Stream) -> None:
    _check_array(dest)
    address = int(src)
    gpu.view(address, dest.nbytes)
    flat = dest.reshape(-1).view(np.uint8)
    flat[...] = POISON

    def copy() -> None:
        flat[...] = np.frombuffer(gpu.view(address, dest.nbytes), np.uint8)

    gpu.later(stream.handle, copy)


def pagelocked_empty(gpu: Gpu, shape: Any, dtype: Any) -> np.ndarray:
    gpu.in_context()
    found = np.empty(shape, dtype)
    if not found.nbytes:
        raise LogicError("cuMemHostAlloc failed: invalid argument")
    found.reshape(-1).view(np.uint8)[...] = POISON
    return found


def _check_array(array: Any) -> None:
    if not isinstance(array, np.ndarray) or not array.flags.c_contiguous or not array.nbytes:
        raise ValueError("ndarray is not contiguous, or empty")
