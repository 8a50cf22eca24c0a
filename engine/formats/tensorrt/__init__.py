"""TensorRT: an engine compiled for one type of NVIDIA GPU and one TensorRT version.

A folder of ``model.engine`` and the card ``engine.json``, which says where it may be opened.
"""

from __future__ import annotations

from pathlib import Path

from engine.errors import InvalidModel
from engine.formats.tensorrt import card
from engine.formats.tensorrt.build import EngineOptions
from engine.formats.tensorrt.card import ENGINE, EngineCard
from engine.formats.tensorrt.runner import TensorRTRunner
from engine.lazy import Requirement
from engine.nvidia import NEEDS
from engine.registry import Format
from engine.types import Signature


def load(path: Path) -> EngineCard:
    """The card: an engine itself is opened only by the Runner, on the card it was built for."""
    found = card.read(path)
    if not (path / ENGINE).is_file():
        raise InvalidModel(
            f"The engine's card is there, but {ENGINE} is not beside it.",
            hint=f"Build it again: {found.rebuild}",
        )
    return found


def read_signature(path: Path) -> Signature:
    """As it was when the engine was built; an engine keeps no names of dynamic axes."""
    return load(path).signature


def describe(path: Path) -> tuple[int | None, dict[str, int], dict[str, str]]:
    """Parameters of the graph it was built from, the engine's own layers, and where it runs."""
    found = load(path)
    facts = {
        "Built with": f"TensorRT {found.built.tensorrt}",
        "Runs on": f"compute capability {found.built.capability} ({found.built.gpu}), "
        f"driver {found.built.driver} or newer, {found.built.system}",
        "Precision": found.precision,
        "Layers that stayed FP32": ", ".join(found.stayed_float32) or "none",
    }
    return found.parameters, dict(found.layers), {**found.facts, **facts}


FORMAT = Format(
    name="tensorrt",
    label="TensorRT",
    suffix=".tensorrt",
    requires=(*NEEDS, Requirement("onnx", "onnx")),
    load=load,
    open_runner=TensorRTRunner,
    read_signature=read_signature,
    describe=describe,
    import_module="tensorrt",
    options=EngineOptions,
)
