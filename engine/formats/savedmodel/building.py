"""ONNX → SavedModel: checked, traced once with the handlers, and saved with its variables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import ConversionError, EngineError
from engine.files import disk_errors
from engine.formats.savedmodel import artifact, serving, support
from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.lowering import Lowering
from engine.formats.savedmodel.options import SavedModelOptions
from engine.formats.savedmodel.weights import safe_name
from engine.lazy import Requirement
from engine.registry import Conversion, converter
from engine.registry import load as load_artifact
from engine.types import Artifact, Signature, Step, TensorSpec

TENSORFLOW = Requirement("tensorflow", "tensorflow-cpu")


@dataclass(frozen=True, slots=True)
class Built:
    """A lowered model: the module that owns its variables, and the function that is the model."""

    module: Any
    serve: Any
    names: artifact.Names


@converter("onnx", "savedmodel")
def savedmodel_from_onnx(source: Artifact, out: Path, options: SavedModelOptions) -> Conversion:
    """Lower every node to TensorFlow's own operations; weights become variables."""
    model = load_artifact(source)
    support.check(model)
    signature = _with_outputs(source.signature, model)
    built = build(model, signature)
    save(built, signature, out, options)
    step = Step(
        verb="lower",
        tool="TensorFlow",
        version=TENSORFLOW.version or "",
        options={"variables": len(built.module.weights)},
    )
    return Conversion(signature, step, options.variant)


def save(built: Built, signature: Signature, out: Path, options: SavedModelOptions) -> None:
    """Write version 1 below ``out``, as TensorFlow Serving wants it, with every signature."""
    folder = out / artifact.VERSION
    with disk_errors(), conversion_errors("saving the model"):
        tf.saved_model.save(
            built.module,
            str(folder),
            signatures=serving.signatures(built.module, built.serve, options),
            options=tf.saved_model.SaveOptions(save_debug_info=False),
        )
        artifact.write_sidecar(folder, signature, built.names)


def build(model: Any, signature: Signature) -> Built:
    """Trace an ``onnx.ModelProto`` for inputs as ``signature`` declares them."""
    lowering = Lowering(model)
    names = artifact.Names(_arguments(signature.inputs), _arguments(signature.outputs))

    def serve(*tensors: Any) -> dict[str, Any]:
        made = lowering(dict(zip(names.inputs, tensors, strict=True)))
        return {
            names.outputs[spec.name]: _named(made[spec.name], names.outputs[spec.name], spec)
            for spec in signature.outputs
            if spec.name in made
        }

    specs = [
        tf.TensorSpec(
            [None if isinstance(dim, str) else dim for dim in spec.shape],
            np.dtype(spec.dtype),
            name=names.inputs[spec.name],
        )
        for spec in signature.inputs
    ]
    with conversion_errors("tracing the lowered model"):
        function = tf.function(serve, input_signature=specs, autograph=False)
        concrete = function.get_concrete_function()
        module = tf.Module()
        module.weights = list(lowering.weights.variables.values())
    return Built(module, concrete, names)


def _with_outputs(signature: Signature, model: Any) -> Signature:
    """The signature with outputs; the graph's own where nothing named them."""
    if signature.outputs:
        return signature
    found = tuple(TensorSpec(item.name, "float32", _open_axes(item)) for item in model.graph.output)
    return replace(signature, outputs=found)


def _open_axes(output: Any) -> tuple[str, ...]:
    return tuple(f"{output.name}_{axis}" for axis in range(len(output.type.tensor_type.shape.dim)))


def _named(tensor: Any, name: str, spec: TensorSpec) -> Any:
    """An output under its name. Where TensorFlow lost its number of axes, ONNX says it."""
    made = tf.identity(tensor, name=name)
    if made.shape.rank is None:
        made.set_shape([None] * len(spec.shape))
    return made


def _arguments(specs: Sequence[TensorSpec]) -> dict[str, str]:
    """A name that TensorFlow takes for each of the model's own, all different."""
    found: dict[str, str] = {}
    for spec in specs:
        wanted = name = safe_name(spec.name)
        number = 1
        while name in found.values():
            number += 1
            name = f"{wanted}_{number}"
        found[spec.name] = name
    return found


@contextmanager
def conversion_errors(doing: str) -> Iterator[None]:
    """Turn what TensorFlow raises while a model is made into ConversionError."""
    try:
        yield
    except (EngineError, MemoryError, OSError):
        raise
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ConversionError(
            f"TensorFlow failed while {doing}: {lines[0][:300]}",
            hint="Deploy this model as ONNX, which it is already.",
        ) from error
