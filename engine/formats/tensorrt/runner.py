"""A TensorRT engine, run: arrays to the card, one call, arrays back, and only then an answer."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import numpy as np

from engine.errors import BadRequest, InvalidModel, UnsupportedModel
from engine.feeds import check_feed, shaped
from engine.formats.tensorrt import card, log
from engine.formats.tensorrt.device import Memory, gpu, gpu_errors
from engine.types import Artifact, Feed, RunnerOptions

_KINDS = {
    "FLOAT": "float32",
    "HALF": "float16",
    "INT8": "int8",
    "INT32": "int32",
    "INT64": "int64",
    "BOOL": "bool",
    "UINT8": "uint8",
}
"""TensorRT's types that numpy has. Its own table of them names types numpy has dropped."""


class TensorRTRunner:
    """A Runner over one execution context on one stream of the first card."""

    def __init__(self, artifact: Artifact, _: RunnerOptions) -> None:
        self._artifact = artifact
        self._card = card.read(artifact.path)
        self._stack = ExitStack()
        self._engine: Any = None
        self._context: Any = None
        self._stream: Any = None
        self._began: Any = None
        self._ended: Any = None
        self._cuda: Any = None
        self._memory: Memory
        self._kinds: dict[str, np.dtype[Any]] = {}
        self._outputs: list[str] = []

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            trt, self._cuda, here = opening.enter_context(gpu())
            card.check_place(self._card, here)
            self._memory = Memory(self._cuda)
            opening.callback(self._close)
            with gpu_errors("loading the engine"):
                self._open(trt)
            self._stack = opening.pop_all()
        return self

    def _open(self, trt: Any) -> None:
        listener = log.listener(trt)
        content = (self._artifact.path / card.ENGINE).read_bytes()
        runtime = trt.Runtime(listener)
        self._engine = runtime.deserialize_cuda_engine(content)
        if self._engine is not None:
            self._context = self._engine.create_execution_context()
        if self._context is None:
            raise InvalidModel(
                f"TensorRT did not open the engine: {log.errors(listener.said)}.",
                hint=f"Build it again: {self._card.rebuild}",
            )
        self._stream = self._cuda.Stream()
        self._began, self._ended = self._cuda.Event(), self._cuda.Event()
        names = [self._engine.get_tensor_name(at) for at in range(self._engine.num_io_tensors)]
        self._kinds = {name: _kind(self._engine.get_tensor_dtype(name), name) for name in names}
        given = {name for name in names if self._engine.get_tensor_mode(name).name == "INPUT"}
        # All of them, whatever the signature leaves out: each needs an address.
        self._outputs = [name for name in names if name not in given]

    def _close(self) -> None:
        """In this order: TensorRT's objects use the memory, everything uses the CUDA context."""
        self._context = self._engine = None
        self._memory.free()
        self._stream = self._began = self._ended = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def infer(self, feed: Feed) -> dict[str, np.ndarray]:
        """Run once; the stream is waited for, so that an outside clock measures all of it.

        Raises BadRequest for a wrong feed or a shape outside the profile.
        """
        check_feed(feed, self._artifact.signature)
        self._check_range(feed)
        with gpu_errors("running the engine"):
            for name, array in feed.items():
                self._send(name, array)
            self._check_complete()
            results = {name: self._expect(name) for name in self._outputs}
            self._began.record(self._stream)
            if not self._context.execute_async_v3(self._stream.handle):
                raise InvalidModel(
                    "TensorRT refused to run the engine.",
                    hint=f"Build it again: {self._card.rebuild}",
                )
            self._ended.record(self._stream)
            for name, array in results.items():
                if array.nbytes:
                    place = self._memory.device(name, array.nbytes)
                    self._cuda.memcpy_dtoh_async(array, place, self._stream)
            self._stream.synchronize()
        return {
            spec.name: results[spec.name].astype(spec.dtype)  # a copy: the memory is used again
            for spec in self._card.signature.outputs
        }

    def compute_ns(self) -> int:
        """What the last inference took between its copies, by CUDA events (0.5 µs apart at best).

        Source: https://documen.tician.de/pycuda/driver.html#pycuda.driver.Event
        """
        with gpu_errors("reading the GPU's clock"):
            took_ms = float(self._began.time_till(self._ended))
        return max(1, round(took_ms * 1e6))

    def _send(self, name: str, array: np.ndarray) -> None:
        """Copy an input to the card, in the engine's type, and say where it lies."""
        staged = self._memory.host(name, array.shape, self._kinds[name])
        staged[...] = array
        place = self._memory.device(name, staged.nbytes)
        if staged.nbytes:
            self._cuda.memcpy_htod_async(place, staged, self._stream)
        if not self._context.set_input_shape(name, tuple(array.shape)):
            raise BadRequest(
                f"The engine does not take {name!r} in the shape {shaped(array.shape)}.",
                hint=f"Build it for that shape: {self._card.rebuild}",
            )
        self._context.set_tensor_address(name, int(place))

    def _check_complete(self) -> None:
        missing = self._context.infer_shapes()
        if missing:
            raise InvalidModel(
                f"TensorRT cannot tell the shapes without {', '.join(missing)}.",
                hint="Inputs whose values are shapes are not supported: give them as constants.",
            )

    def _expect(self, name: str) -> np.ndarray:
        """Room for an output on the card and on the host, for the shapes that were set."""
        shape = tuple(int(size) for size in self._context.get_tensor_shape(name))
        if any(size < 0 for size in shape):
            raise UnsupportedModel(
                f"The shape of the output {name!r} depends on the data ({shaped(shape)}).",
                hint="Run this model with ONNX Runtime, or bound that output in the model.",
            )
        array = self._memory.host(name, shape, self._kinds[name])
        self._context.set_tensor_address(name, int(self._memory.device(name, array.nbytes)))
        return array

    def _check_range(self, feed: Feed) -> None:
        for name, span in self._card.profile.items():
            shape = feed[name].shape
            if not span.holds(shape):
                raise BadRequest(
                    f"The engine takes {name!r} from {shaped(span.min)} to {shaped(span.max)}; "
                    f"it was given {shaped(shape)}.",
                    hint="Build it with a larger max_batch, or wider lengths of the other axes.",
                )


def _kind(kind: Any, name: str) -> np.dtype[Any]:
    if kind.name not in _KINDS:
        raise UnsupportedModel(
            f"{name!r} is {kind.name} in the engine, a type numpy has no array for.",
            hint="Keep inputs and outputs FP32; only the inside needs to be narrower.",
        )
    return np.dtype(_KINDS[kind.name])
