"""The half of TensorRT that runs engines: read from bytes, inspected, and computed by ONNX Runtime.

The classes know their interface and their card through ``_world``, which ``tensorrt`` gives them.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from tests.fakes.engine import Layers, Session, kinds_of

MAGIC = b"ftrt"
DTYPES = {
    "FLOAT": "float32",
    "HALF": "float16",
    "INT8": "int8",
    "INT32": "int32",
    "INT64": "int64",
    "BOOL": "bool",
    "UINT8": "uint8",
}


class Runtime:
    def __init__(self, logger: Any) -> None:
        self._logger = self._world.ready(logger)

    def deserialize_cuda_engine(self, serialized_engine: Any) -> Any:
        data = bytes(serialized_engine)
        if data[:4] != MAGIC:
            wrong = "magicTagRead == kPLAN_MAGIC_TAG: not an engine plan"
            self._world.say(self._logger, "ERROR", wrong)
            return None
        size = int.from_bytes(data[4:8], "little")
        head = json.loads(data[8 : 8 + size])
        here = (self._world.version, list(self._world.gpu.capability))
        if (head["version"], head["capability"]) != here:
            wrong = "The engine plan file is not compatible with this version of TensorRT"
            self._world.say(self._logger, "ERROR", wrong)
            return None
        return self._world.classes["ICudaEngine"](head, data[8 + size :], self._logger)


class EngineInspector:
    def __init__(self, head: Any, model: bytes) -> None:
        self._head, self._model = head, model

    def get_engine_information(self, format: Any) -> str:
        layers = Layers(self._model).inspected(self._world.generation)
        if not self._head["detailed"]:
            return json.dumps({"Layers": [layer["Name"] for layer in layers]})
        return json.dumps({"Layers": layers})


class ICudaEngine:
    def __init__(self, head: Any, model: bytes, logger: Any) -> None:
        self._head, self._model, self._logger = head, model, logger
        self._inputs, self._outputs = kinds_of(model, no_int64=self._world.generation == "8.5")

    @property
    def num_io_tensors(self) -> int:
        return len(self._inputs) + len(self._outputs)

    def get_tensor_name(self, index: int) -> str:
        return [*self._inputs, *self._outputs][index]

    def get_tensor_mode(self, name: str) -> Any:
        modes = self._world.classes["TensorIOMode"]
        return modes.INPUT if name in self._inputs else modes.OUTPUT

    def get_tensor_dtype(self, name: str) -> Any:
        return self._world.classes["DataType"][{**self._inputs, **self._outputs}[name][0]]

    def create_execution_context(self) -> Any:
        self._world.gpu.in_context()
        return self._world.classes["IExecutionContext"](self)

    def create_engine_inspector(self) -> Any:
        return self._world.classes["EngineInspector"](self._head, self._model)


class IExecutionContext:
    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._session = Session(engine._model)
        self._shapes: dict[str, tuple[int, ...]] = {
            name: shape
            for name, (_, shape) in engine._inputs.items()
            if all(isinstance(size, int) for size in shape)
        }
        self._places: dict[str, int] = {}

    def set_input_shape(self, name: str, shape: Any) -> bool:
        low, _, high = self._engine._head["shapes"].get(name) or (self._shapes.get(name),) * 3
        fits = low is not None and len(low) == len(shape)
        if not fits or any(not a <= b <= c for a, b, c in zip(low, shape, high, strict=True)):
            wrong = "Supplied binding dimension does not satisfy any optimization profile"
            self._world.say(self._engine._logger, "ERROR", wrong)
            return False
        self._shapes[name] = tuple(shape)
        return True

    def infer_shapes(self) -> list[str]:
        return [name for name in self._engine._inputs if name not in self._shapes]

    def get_tensor_shape(self, name: str) -> Any:
        if name in self._engine._inputs:
            declared = self._engine._inputs[name][1]
            symbolic = tuple(size if isinstance(size, int) else -1 for size in declared)
            return self._shapes.get(name, symbolic)
        return self._session.output_shape(name, self._shapes, self._engine._inputs)

    def set_tensor_address(self, name: str, memory: int) -> bool:
        if name not in self._engine._inputs and name not in self._engine._outputs:
            return False
        self._places[name] = memory
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        engine = self._engine
        missing = {*engine._inputs, *engine._outputs} - set(self._places)
        if missing or self.infer_shapes():
            wrong = f"Address or shape is not set for {sorted(missing) or self.infer_shapes()}"
            self._world.say(engine._logger, "ERROR", wrong)
            return False
        shapes, places = dict(self._shapes), dict(self._places)
        self._world.gpu.later(stream_handle, lambda: self._launch(shapes, places))
        return True

    def _launch(self, shapes: dict[str, tuple[int, ...]], places: dict[str, int]) -> None:
        """Read the inputs from where they lie then, and write the outputs to their places."""
        gpu, engine = self._world.gpu, self._engine
        gpu.launches += 1
        feed = {}
        for name, (kind, _) in engine._inputs.items():
            dtype = np.dtype(DTYPES[kind])
            size = dtype.itemsize * int(np.prod(shapes[name], dtype=np.int64))
            held = gpu.view(places[name], size)
            feed[name] = np.frombuffer(held, dtype).reshape(shapes[name])
        for name, array in self._session.run(feed).items():
            kept = np.ascontiguousarray(array.astype(DTYPES[engine._outputs[name][0]]))
            gpu.view(places[name], kept.nbytes)[:] = kept.tobytes()
