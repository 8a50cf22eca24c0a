"""From PyTorch to ONNX: the dynamo exporter, and the TorchScript-based one where it cannot."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.errors import ConversionError, EngineError, UnsupportedModel
from engine.exporting import (
    DataDependentFlow,
    dynamic_shapes,
    example_tensors,
    export,
    operators_named,
    script,
)
from engine.files import disk_errors
from engine.formats.onnx.options import OnnxOptions
from engine.formats.onnx.reading import graph_only, onnx_errors, read_signature
from engine.lazy import Requirement
from engine.registry import Conversion, converter
from engine.registry import load as load_artifact
from engine.tensors import first_line
from engine.types import Artifact, Signature, Step, TensorSpec

_TORCH = Requirement("torch", "torch")
PROTOBUF_LIMIT = 2_000_000_000
"""Bytes above which weights must lie beside the graph: a protobuf ends at 2 GiB."""
LEGACY_OPSET = 20
"""The newest opset the TorchScript-based exporter writes."""


@converter("torch", "onnx")
def onnx_from_torch(source: Artifact, out: Path, options: OnnxOptions) -> Conversion:
    """torch.export, then ONNX; the TorchScript-based exporter where the first cannot."""
    module = load_artifact(source)
    try:
        program = export(module, source.signature)
        return _from_program(program, source, out, options)
    except DataDependentFlow as error:
        why = f"{error.message} The scripted model was exported instead, with its branches."
        scripted = script(module)
        return _from_module(scripted, source, out, options, why)
    except (ConversionError, UnsupportedModel) as error:
        why = f"The dynamo exporter could not: {error.message} The older exporter was used."
        return _from_module(module, source, out, options, why)


@converter("exported", "onnx")
def onnx_from_exported(source: Artifact, out: Path, options: OnnxOptions) -> Conversion:
    """The dynamo exporter, on a program that torch.export has recorded already."""
    return _from_program(load_artifact(source), source, out, options)


@converter("torchscript", "onnx")
def onnx_from_torchscript(source: Artifact, out: Path, options: OnnxOptions) -> Conversion:
    """The TorchScript-based exporter: the only one that takes a ScriptModule."""
    why = "A TorchScript file goes through the older, TorchScript-based exporter."
    return _from_module(load_artifact(source), source, out, options, why)


def _from_program(program: Any, source: Artifact, out: Path, options: OnnxOptions) -> Conversion:
    import torch

    def write(target: Path) -> None:
        made: Any = torch.onnx.export(
            program,
            dynamo=True,
            # The program has forgotten what its axes were called.
            dynamic_shapes=dynamic_shapes(source.signature),
            opset_version=options.opset,
            verbose=False,
            **_names(source.signature),
        )
        made.save(str(target), external_data=_outgrows(program))

    return _export(write, source, out, Step("export", "torch.onnx (dynamo)", "", {}))


def _from_module(
    module: Any, source: Artifact, out: Path, options: OnnxOptions, why: str
) -> Conversion:
    """With ``dynamo=False``: traces a plain module, keeps the branches of a scripted one."""
    import torch

    signature = source.signature
    opset = min(options.opset, LEGACY_OPSET)

    def write(target: Path) -> None:
        torch.onnx.export(
            module,
            example_tensors(signature),
            str(target),
            dynamo=False,
            opset_version=opset,
            dynamic_axes=_dynamic_axes(signature),
            **_names(signature),
        )

    step = Step("export", "torch.onnx (TorchScript-based)", "", {}, (why,))
    return _export(write, source, out, step)


def _export(write: Callable[[Path], None], source: Artifact, out: Path, step: Step) -> Conversion:
    """Write, check, and say what came of it. Raises UnsupportedModel naming the operators."""
    import onnx

    try:
        with warnings.catch_warnings(), disk_errors():
            warnings.simplefilter("ignore")
            write(out)
    except (EngineError, MemoryError, OSError):
        raise
    except Exception as error:
        raise _inexpressible(error) from error
    with onnx_errors("checking the exported file"):
        onnx.checker.check_model(str(out))
    opset = next(item.version for item in graph_only(out).opset_import if not item.domain)
    return Conversion(
        replace(source.signature, outputs=_outputs(source.signature, read_signature(out))),
        replace(step, version=_TORCH.version or "", options={"opset": opset}),
    )


def _inexpressible(error: Exception) -> EngineError:
    operators = operators_named(str(error.__cause__ or "") + " " + str(error))
    if operators:
        return UnsupportedModel(
            f"ONNX cannot express this model: it has no form of {operators}.",
            hint="Try TorchScript or torch.export, which keep PyTorch's own operators, "
            "or another opset.",
        )
    return ConversionError(
        f"The ONNX exporter failed: {first_line(str(error.__cause__ or error))}",
        hint="Try TorchScript or torch.export, which keep PyTorch's own operators.",
    )


def _names(signature: Signature) -> dict[str, Any]:
    names: dict[str, Any] = {"input_names": [spec.name for spec in signature.inputs]}
    if signature.outputs:
        names["output_names"] = [spec.name for spec in signature.outputs]
    return names


def _dynamic_axes(signature: Signature) -> dict[str, dict[int, str]]:
    return {
        spec.name: {axis: dim for axis, dim in enumerate(spec.shape) if isinstance(dim, str)}
        for spec in (*signature.inputs, *signature.outputs)
    }


def _outputs(asked: Signature, made: Signature) -> tuple[TensorSpec, ...]:
    """The signature's outputs; the file's own where it had none."""
    return asked.outputs or made.outputs


def _outgrows(module: Any) -> bool:
    weights = (*module.parameters(), *module.buffers())
    return bool(sum(item.numel() * item.element_size() for item in weights) > PROTOBUF_LIMIT)
