"""The GPU through PyCUDA: its context, its memory, and what its errors mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.errors import EngineError, InvalidModel, MissingDependency
from engine.formats.tensorrt.card import Place, system
from engine.lazy import require
from engine.nvidia import NvidiaGpu, driver_version, has_nvidia_gpu


@contextmanager
def gpu_errors(doing: str) -> Iterator[None]:
    """Turn what PyCUDA and TensorRT raise into MemoryError or InvalidModel."""
    try:
        yield
    except (EngineError, MemoryError, OSError):
        raise
    except Exception as error:
        text = str(error).strip() or type(error).__name__
        if type(error).__name__ == "MemoryError" or "out of memory" in text.lower():
            raise MemoryError(text) from error
        raise InvalidModel(
            f"TensorRT failed while {doing}: {text.splitlines()[0]}",
            hint="The log holds its last words; nvidia-smi says whether the GPU still answers.",
        ) from error


@contextmanager
def gpu() -> Iterator[tuple[Any, Any, Place]]:
    """(tensorrt, pycuda.driver, this place), the first card's primary context being current.

    The primary context is the one TensorRT itself works in. Raises MissingDependency.
    """
    if not has_nvidia_gpu():
        raise MissingDependency(
            f"TensorRT needs an NVIDIA GPU with its driver: {NvidiaGpu().lack}.",
            hint="Prepare the ONNX graph for it here (--to tensorrt_plan), and build the engine on "
            "a machine that has one.",
        )
    trt, cuda = require("tensorrt"), require("pycuda.driver", "pycuda")
    with gpu_errors("opening the GPU"):
        cuda.init()
        card = cuda.Device(0)
        major, minor = card.compute_capability()
        context = card.retain_primary_context()
        context.push()
    try:
        place = Place(
            tensorrt=str(trt.__version__),
            gpu=card.name(),
            capability=f"{major}.{minor}",
            driver=driver_version() or "unknown",
            system=system(),
        )
        yield trt, cuda, place
    finally:
        context.pop()


@dataclass(slots=True)
class Memory:
    """Device and page-locked host memory by tensor name, kept from call to call."""

    cuda: Any
    _device: dict[str, tuple[Any, int]] = field(default_factory=dict)
    _host: dict[str, np.ndarray] = field(default_factory=dict)

    def device(self, name: str, size: int) -> Any:
        """At least ``size`` bytes on the card. An empty tensor needs an address, too."""
        held = self._device.get(name)
        if held is None or held[1] < size:
            if held is not None:
                held[0].free()
                del self._device[name]
            self._device[name] = held = self.cuda.mem_alloc(max(size, 1)), size
        return held[0]

    def host(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
        """A page-locked array, which the card copies to while the processor does other things."""
        held = self._host.get(name)
        if held is None or held.shape != shape or held.dtype != dtype:
            # No driver locks an array of no bytes.
            make = self.cuda.pagelocked_empty if 0 not in shape else np.empty
            self._host[name] = held = make(shape, dtype)
        return held

    def free(self) -> None:
        """Give everything back."""
        for held, _ in self._device.values():
            held.free()
        self._device.clear()
        self._host.clear()
