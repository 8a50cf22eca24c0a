"""TensorRT in three generations, without a GPU: strict about its interface, real in its numbers.

Which names and arguments there are comes from ``tensorrt_<generation>.json``, read from the
published bindings. An "engine" is the ONNX graph, and ONNX Runtime computes what it answers.
"""

from __future__ import annotations

import importlib.machinery
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from engine import nvidia
from tests.fakes import cuda, strict
from tests.fakes.engine import Layers, Session, kinds_of

DRIVER = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n"
GENERATIONS = ("8.5", "10", "11")
MAGIC = b"ftrt"


def interface(generation: str) -> dict[str, Any]:
    """Names and signatures of one generation, as its bindings list them."""
    path = Path(__file__).with_name(f"tensorrt_{generation}.json")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def install(
    patch: pytest.MonkeyPatch, generation: str, home: Path, gpu: cuda.Gpu | None = None
) -> cuda.Gpu:
    """Let ``tensorrt``, ``pycuda`` and a driver be here, until the patch is undone."""
    gpu = gpu or cuda.Gpu()
    home.mkdir(parents=True, exist_ok=True)
    (home / "driver").write_text(DRIVER)
    patch.setattr(nvidia, "DRIVER", home / "driver")
    modules = {
        "tensorrt": tensorrt(generation, gpu),
        "pycuda": ModuleType("pycuda"),
        "pycuda.driver": cuda.driver(gpu),
    }
    for name, module in modules.items():
        module.__spec__ = importlib.machinery.ModuleSpec(name, None)
        patch.setitem(sys.modules, name, module)
    return gpu


class HostMemory(bytes):
    """As ``IHostMemory``: a buffer that knows its size."""

    @property
    def nbytes(self) -> int:
        return len(self)


def tensorrt(generation: str, gpu: cuda.Gpu) -> ModuleType:  # noqa: C901  # one small class each
    """The module ``tensorrt`` of that generation for this card."""
    api = interface(generation)
    classes, version = api["classes"], api["version"]
    world: dict[str, Any] = {}
    module = ModuleType("tensorrt")
    module.__version__ = version  # type: ignore[attr-defined]
    old = generation == "8.5"
    always_strong = generation == "11"

    def given(kind: type[Any], name: str = "") -> type[Any]:
        """The class under its real name, held to what the real one has."""
        name = name or kind.__name__
        made = type(name, (kind, strict.Guarded), {"_members": classes[name], "_world": world})
        world[name] = made
        setattr(module, name, made)
        return made

    for name, members in classes.items():
        if members and all(isinstance(value, int) for value in members.values()):
            world[name] = strict.enumeration(name, members)
            setattr(module, name, world[name])
    severity = world.pop("Severity")
    del module.Severity

    class ILogger:
        Severity = severity

        def __init__(self) -> None:
            self._ready = True

        def log(self, severity: Any, msg: str) -> None:
            raise NotImplementedError

    world["ILogger"] = module.ILogger = ILogger  # type: ignore[attr-defined]

    def say(logger: Any, level: str, text: str) -> None:
        logger.log(severity[level], text)

    def need_logger(logger: Any) -> Any:
        if not isinstance(logger, ILogger) or not hasattr(logger, "_ready"):
            raise TypeError("ILogger.__init__() must be called when overriding __init__")
        gpu.in_context()
        return logger

    class INetworkDefinition:
        def __init__(self, logger: Any, flags: int) -> None:
            self._logger, self._flags, self._model = logger, flags, b""

        @property
        def _strong(self) -> bool:
            strong = getattr(world["NetworkDefinitionCreationFlag"], "STRONGLY_TYPED", None)
            return always_strong or (strong is not None and bool(self._flags >> int(strong) & 1))

    given(INetworkDefinition)

    class ITimingCache:
        def __init__(self, entries: int) -> None:
            self._entries = entries

        def serialize(self) -> HostMemory:
            return HostMemory(f"timings {version} {gpu.capability} {self._entries}".encode())

    given(ITimingCache)

    class IOptimizationProfile:
        def __init__(self) -> None:
            self._shapes: dict[str, tuple[Any, Any, Any]] = {}

        def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:
            if not (len(min) == len(opt) == len(max)):
                raise RuntimeError("Shape provided for opt is inconsistent with other shapes.")
            self._shapes[input] = (tuple(min), tuple(opt), tuple(max))

    given(IOptimizationProfile)

    class IBuilderConfig:
        def __init__(self) -> None:
            self._flags = {"TF32"}
            self._cache: Any = None
            self._profiles: list[Any] = []
            self._pools: dict[str, int] = {}
            self.profiling_verbosity = world["ProfilingVerbosity"].LAYER_NAMES_ONLY

        def set_flag(self, flag: Any) -> None:
            self._flags.add(flag.name)

        def clear_flag(self, flag: Any) -> None:
            self._flags.discard(flag.name)

        def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None:
            self._pools[pool.name] = pool_size

        def create_timing_cache(self, serialized_timing_cache: Any) -> Any:
            data = bytes(serialized_timing_cache)
            if data and not data.startswith(f"timings {version} {gpu.capability}".encode()):
                return None
            return world["ITimingCache"](int(data.split()[-1]) if data else 0)

        def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
            self._cache = cache
            return True

        def get_timing_cache(self) -> Any:
            return self._cache

        def add_optimization_profile(self, profile: Any) -> int:
            sizes = (
                (low, typical, high)
                for shapes in profile._shapes.values()
                for low, typical, high in zip(*shapes, strict=True)
            )
            if any(not 0 <= low <= typical <= high for low, typical, high in sizes):
                return -1
            self._profiles.append(profile)
            return len(self._profiles) - 1

    given(IBuilderConfig)

    class Builder:
        def __init__(self, logger: Any) -> None:
            self._logger = need_logger(logger)

        def create_network(self, flags: int = 0) -> Any:
            known = [int(flag) for flag in world["NetworkDefinitionCreationFlag"]]
            if flags >> (max(known) + 1):
                raise TypeError("create_network(): unknown flags")
            return world["INetworkDefinition"](self._logger, flags)

        def create_builder_config(self) -> Any:
            return world["IBuilderConfig"]()

        def create_optimization_profile(self) -> Any:
            return world["IOptimizationProfile"]()

        def build_serialized_network(self, network: Any, config: Any) -> HostMemory | None:
            wrong = _cannot_build(network, config)
            for text in Layers(network._model).warnings(generation):
                say(self._logger, "WARNING", text)
            if wrong:
                say(self._logger, "ERROR", wrong)
                return None
            if config._cache is not None:
                config._cache._entries += 1
            shapes = config._profiles[0]._shapes if config._profiles else {}
            head = {
                "version": version,
                "capability": gpu.capability,
                "detailed": config.profiling_verbosity.name == "DETAILED",
                "shapes": shapes,
                "flags": sorted(config._flags),
                "workspace": config._pools.get("WORKSPACE"),
                "cached": config._cache._entries if config._cache is not None else 0,
            }
            text = json.dumps(head).encode()
            return HostMemory(MAGIC + len(text).to_bytes(4, "little") + text + network._model)

    def _cannot_build(network: Any, config: Any) -> str:
        if not network._model:
            return "Network must have at least one output"
        layers = Layers(network._model)
        reduced = config._flags & {"FP16", "INT8", "BF16", "FP8"}
        if network._strong and reduced:
            return f"{sorted(reduced)} not allowed for a strongly typed network"
        if not network._strong and layers.has_half and "FP16" not in config._flags:
            return "Half precision tensors, but FP16 is not configured in the builder"
        if not network._strong and layers.is_quantized and "INT8" not in config._flags:
            return "Int8 precision has been set for a layer, but int8 is not configured"
        dynamic = set(layers.dynamic_inputs)
        if dynamic and not config._profiles:
            return "Network has dynamic or shape inputs, but no optimization profile"
        if dynamic - set(config._profiles[0]._shapes if config._profiles else ()):
            return "Optimization profile is missing values for a dynamic input"
        return ""

    given(Builder)

    class ParserError:
        def __init__(self, text: str, operator: str, name: str, at: int) -> None:
            self._text, self._operator, self._name, self._at = text, operator, name, at

        def desc(self) -> str:
            return self._text

        def node(self) -> int:
            return self._at

        def node_name(self) -> str:
            return self._name

        def node_operator(self) -> str:
            return self._operator

    given(ParserError)

    class OnnxParser:
        def __init__(self, network: Any, logger: Any) -> None:
            if not isinstance(network, world["INetworkDefinition"]):
                raise TypeError("OnnxParser(): incompatible constructor arguments")
            self._network, self._logger = network, need_logger(logger)
            self._errors: list[Any] = []

        @property
        def num_errors(self) -> int:
            return len(self._errors)

        def get_error(self, index: int) -> Any:
            return self._errors[index]

        def parse_from_file(self, model: str) -> bool:
            flags = world["NetworkDefinitionCreationFlag"]
            if old and not self._network._flags >> int(flags.EXPLICIT_BATCH) & 1:
                text = "This version of the ONNX parser only supports TensorRT "
                text += "INetworkDefinitions with an explicit batch dimension."
                self._errors.append(world["ParserError"](text, "", "", -1))
                return False
            content = Path(model).read_bytes()
            for found in Layers(content).refused():
                say(self._logger, "ERROR", found[0])
                self._errors.append(world["ParserError"](*found))
            self._network._model = content
            return not self._errors

    given(OnnxParser)

    class Runtime:
        def __init__(self, logger: Any) -> None:
            self._logger = need_logger(logger)

        def deserialize_cuda_engine(self, serialized_engine: Any) -> Any:
            data = bytes(serialized_engine)
            if data[:4] != MAGIC:
                say(self._logger, "ERROR", "magicTagRead == kPLAN_MAGIC_TAG: not an engine plan")
                return None
            size = int.from_bytes(data[4:8], "little")
            head = json.loads(data[8 : 8 + size])
            if head["version"] != version or tuple(head["capability"]) != gpu.capability:
                text = "The engine plan file is not compatible with this version of TensorRT or "
                say(self._logger, "ERROR", text + "was generated on another device")
                return None
            return world["ICudaEngine"](head, data[8 + size :], self._logger)

    given(Runtime)

    class EngineInspector:
        def __init__(self, head: Any, model: bytes) -> None:
            self._head, self._model = head, model

        def get_engine_information(self, format: Any) -> str:
            layers = Layers(self._model).inspected(generation)
            if not self._head["detailed"]:
                return json.dumps({"Layers": [layer["Name"] for layer in layers]})
            return json.dumps({"Layers": layers})

    given(EngineInspector)

    class ICudaEngine:
        def __init__(self, head: Any, model: bytes, logger: Any) -> None:
            self._head, self._model, self._logger = head, model, logger
            self._inputs, self._outputs = kinds_of(model, no_int64=old)

        @property
        def num_io_tensors(self) -> int:
            return len(self._inputs) + len(self._outputs)

        def get_tensor_name(self, index: int) -> str:
            return [*self._inputs, *self._outputs][index]

        def get_tensor_mode(self, name: str) -> Any:
            modes = world["TensorIOMode"]
            return modes.INPUT if name in self._inputs else modes.OUTPUT

        def get_tensor_dtype(self, name: str) -> Any:
            return world["DataType"][{**self._inputs, **self._outputs}[name][0]]

        def create_execution_context(self) -> Any:
            gpu.in_context()
            return world["IExecutionContext"](self)

        def create_engine_inspector(self) -> Any:
            return world["EngineInspector"](self._head, self._model)

    given(ICudaEngine)

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
                say(self._engine._logger, "ERROR", "Supplied binding dimension does not satisfy")
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
                text = f"Address or shape is not set for {sorted(missing) or self.infer_shapes()}"
                say(engine._logger, "ERROR", text)
                return False
            shapes, places = dict(self._shapes), dict(self._places)

            def launch() -> None:
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

            gpu.later(stream_handle, launch)
            return True

    given(IExecutionContext)
    return module


DTYPES = {
    "FLOAT": "float32",
    "HALF": "float16",
    "INT8": "int8",
    "INT32": "int32",
    "INT64": "int64",
    "BOOL": "bool",
    "UINT8": "uint8",
}
