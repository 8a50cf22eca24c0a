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

import pytest

from engine import nvidia
from tests.fakes import cuda, strict
from tests.fakes.engine import Layers
from tests.fakes.runtime import MAGIC, EngineInspector, ICudaEngine, IExecutionContext, Runtime

DRIVER = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n"
GENERATIONS = ("8.5", "10", "11")


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


class World:
    """One generation on one card: its interface, and its classes under their real names."""

    def __init__(self, generation: str, gpu: cuda.Gpu) -> None:
        found = interface(generation)
        self.generation, self.gpu = generation, gpu
        self.version: str = found["version"]
        self.members: dict[str, Any] = found["classes"]
        self.severity = strict.enumeration("Severity", self.members.pop("Severity"))
        self.classes: dict[str, Any] = {
            name: strict.enumeration(name, members)
            for name, members in self.members.items()
            if all(isinstance(value, int) for value in members.values())
        }
        for kind in STRICT:
            held = {"_members": self.members[kind.__name__], "_world": self}
            made = type(kind.__name__, (kind, strict.Guarded), held)
            self.classes[kind.__name__] = made
        self.classes["ILogger"] = type("ILogger", (ILogger,), {"Severity": self.severity})
        for logger in (self.classes["ILogger"], self.classes["Logger"]):
            for level in self.severity:
                setattr(logger, level.name, level)

    @property
    def stamp(self) -> str:
        """What timings and engines are tied to."""
        return f"{self.version} {self.gpu.capability}"

    def say(self, logger: Any, level: str, text: str) -> None:
        logger.log(self.severity[level], text)

    def ready(self, logger: Any) -> Any:
        """The logger. Raises TypeError as pybind does for a base that was never initialised."""
        kinds = (self.classes["ILogger"], self.classes["Logger"])
        if not isinstance(logger, kinds) or not hasattr(logger, "_ready"):
            raise TypeError("ILogger.__init__() must be called when overriding __init__")
        self.gpu.in_context()
        return logger


def tensorrt(generation: str, gpu: cuda.Gpu) -> ModuleType:
    """The module ``tensorrt`` of that generation for this card."""
    world = World(generation, gpu)
    module = ModuleType("tensorrt")
    vars(module).update(world.classes)
    module.__version__ = world.version
    return module


class ILogger:
    Severity: Any = None

    def __init__(self) -> None:
        self._ready = True

    def log(self, severity: Any, msg: str) -> None:
        raise NotImplementedError


class Logger:
    """TensorRT's own, which prints."""

    def __init__(self, min_severity: Any = None) -> None:
        self._ready = True

    def log(self, severity: Any, msg: str) -> None:
        sys.stderr.write(f"[TRT] [{severity.name[0]}] {msg}\n")


class INetworkDefinition:
    def __init__(self, logger: Any, flags: int) -> None:
        self._logger, self._flags, self._model = logger, flags, b""

    @property
    def _strong(self) -> bool:
        """In the newest generation always, whatever the flags say."""
        flags = self._world.classes["NetworkDefinitionCreationFlag"]
        strong = getattr(flags, "STRONGLY_TYPED", None)
        asked = strong is not None and bool(self._flags >> int(strong) & 1)
        return self._world.generation == "11" or asked


class ITimingCache:
    def __init__(self, entries: int) -> None:
        self._entries = entries

    def serialize(self) -> HostMemory:
        return HostMemory(f"timings {self._world.stamp} {self._entries}".encode())


class IOptimizationProfile:
    def __init__(self) -> None:
        self._shapes: dict[str, tuple[Any, Any, Any]] = {}

    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:
        if not (len(min) == len(opt) == len(max)):
            raise RuntimeError("Shape provided for opt is inconsistent with other shapes.")
        self._shapes[input] = (tuple(min), tuple(opt), tuple(max))


class IBuilderConfig:
    def __init__(self) -> None:
        self._flags = {"TF32"}
        self._cache: Any = None
        self._profiles: list[Any] = []
        self._pools: dict[str, int] = {}
        self.profiling_verbosity = self._world.classes["ProfilingVerbosity"].LAYER_NAMES_ONLY

    def set_flag(self, flag: Any) -> None:
        self._flags.add(flag.name)

    def clear_flag(self, flag: Any) -> None:
        self._flags.discard(flag.name)

    def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None:
        self._pools[pool.name] = pool_size

    def create_timing_cache(self, serialized_timing_cache: Any) -> Any:
        data = bytes(serialized_timing_cache)
        if data and not data.startswith(f"timings {self._world.stamp}".encode()):
            return None
        return self._world.classes["ITimingCache"](int(data.split()[-1]) if data else 0)

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


class Builder:
    def __init__(self, logger: Any) -> None:
        self._logger = self._world.ready(logger)

    def create_network(self, flags: int = 0) -> Any:
        known = [int(flag) for flag in self._world.classes["NetworkDefinitionCreationFlag"]]
        if flags >> (max(known) + 1):
            raise TypeError("create_network(): unknown flags")
        return self._world.classes["INetworkDefinition"](self._logger, flags)

    def create_builder_config(self) -> Any:
        return self._world.classes["IBuilderConfig"]()

    def create_optimization_profile(self) -> Any:
        return self._world.classes["IOptimizationProfile"]()

    def build_serialized_network(self, network: Any, config: Any) -> HostMemory | None:
        if not network._model:
            self._world.say(self._logger, "ERROR", "Network must have at least one output")
            return None
        layers = Layers(network._model)
        for text in layers.warnings(self._world.generation):
            self._world.say(self._logger, "WARNING", text)
        wrong = _wrong_types(network, config, layers) or _wrong_shapes(config, layers)
        if wrong:
            self._world.say(self._logger, "ERROR", wrong)
            return None
        if config._cache is not None:
            config._cache._entries += 1
        head = {
            "version": self._world.version,
            "capability": self._world.gpu.capability,
            "detailed": config.profiling_verbosity.name == "DETAILED",
            "shapes": config._profiles[0]._shapes if config._profiles else {},
            "flags": sorted(config._flags),
            "workspace": config._pools.get("WORKSPACE"),
            "timings": config._cache._entries if config._cache is not None else 0,
        }
        text = json.dumps(head).encode()
        return HostMemory(MAGIC + len(text).to_bytes(4, "little") + text + network._model)


def _wrong_types(network: Any, config: Any, layers: Layers) -> str:
    reduced = config._flags & {"FP16", "INT8", "BF16", "FP8"}
    if network._strong:
        wrong = "not allowed for a strongly typed network"
        return f"{', '.join(sorted(reduced))} {wrong}" if reduced else ""
    if layers.has_half and "FP16" not in reduced:
        return "Half precision tensors, but FP16 is not configured in the builder"
    if layers.is_quantized and "INT8" not in reduced:
        return "Int8 precision has been set for a layer, but int8 is not configured"
    return ""


def _wrong_shapes(config: Any, layers: Layers) -> str:
    dynamic = set(layers.dynamic_inputs)
    if dynamic and not config._profiles:
        return "Network has dynamic or shape inputs, but no optimization profile"
    if dynamic - set(config._profiles[0]._shapes if config._profiles else ()):
        return "Optimization profile is missing values for a dynamic input"
    return ""


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


class OnnxParser:
    def __init__(self, network: Any, logger: Any) -> None:
        if not isinstance(network, self._world.classes["INetworkDefinition"]):
            raise TypeError("OnnxParser(): incompatible constructor arguments")
        self._network, self._logger = network, self._world.ready(logger)
        self._errors: list[Any] = []

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> Any:
        return self._errors[index]

    def parse_from_file(self, model: str) -> bool:
        return self.parse(Path(model).read_bytes())

    def parse(self, model: Any, path: str | None = None) -> bool:
        content = bytes(model)
        found = [NO_BATCH] if self._implicit_batch() else [*Layers(content).refused()]
        for wrong in found:
            self._world.say(self._logger, "ERROR", wrong[0])
            self._errors.append(self._world.classes["ParserError"](*wrong))
        self._network._model = content
        return not self._errors

    def _implicit_batch(self) -> bool:
        """Before 10 the batch is explicit only where that was asked for."""
        if self._world.generation != "8.5":
            return False
        explicit = self._world.classes["NetworkDefinitionCreationFlag"].EXPLICIT_BATCH
        return not self._network._flags >> int(explicit) & 1


STRICT = (
    Logger,
    INetworkDefinition,
    ITimingCache,
    IOptimizationProfile,
    IBuilderConfig,
    Builder,
    ParserError,
    OnnxParser,
    Runtime,
    EngineInspector,
    ICudaEngine,
    IExecutionContext,
)
NO_BATCH = (
    "This version of the ONNX parser only supports networks with an explicit batch dimension.",
    "",
    "",
    -1,
)
