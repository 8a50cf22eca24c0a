"""From PyTorch to ONNX: the dynamo exporter, and the TorchScript-based one where it cannot."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine import onnxfile
from engine.errors import ConversionError, EngineError, UnsupportedModel
from engine.exporting import (
    DataDependentFlow,
    dynamic_shapes,
    example_tensors,
    export,
    operators_named,
)
from engine.files import disk_errors
from engine.formats.onnx.blame import placed
from engine.formats.onnx.finishing import finished
from engine.formats.onnx.options import OnnxOptions
from engine.lazy import Requirement
from engine.onnxfile import load, save
from engine.opsets import moved
from engine.registry import Conversion, converter
from engine.registry import load as load_artifact
from engine.scripting import script
from engine.tensors import first_line
from engine.types import Artifact, Signature, Step

_TORCH = Requirement("torch", "torch")
LEGACY_OPSET, DYNAMO_OPSET = 20, 18
"""The newest opset the TorchScript-based exporter writes, the oldest the dynamo exporter does."""


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

    reports = out.with_name("reports")

    def write(target: Path) -> None:
        made: Any = torch.onnx.export(
            program,
            dynamo=True,
            # The program has forgotten what its axes were called.
            dynamic_shapes=dynamic_shapes(source.signature),
            opset_version=max(options.opset, DYNAMO_OPSET),
            optimize=options.fold,
            verbose=False,
            report=True,
            artifacts_dir=str(reports),
            **_names(source.signature),
        )
        made.save(str(target), external_data=_outgrows(program))

    step = Step("export", "torch.onnx (dynamo)", _TORCH.version or "")
    try:
        said = _export(write, out, program)
        if options.opset < DYNAMO_OPSET:
            save(moved(load(out), options.opset), out)
        report = "".join(path.read_text("utf-8") for path in sorted(reports.glob("*.md")))
    finally:
        shutil.rmtree(reports, ignore_errors=True)
    made = finished(out, source, step, options)
    return replace(made, report=_report(made.step, said, report))


def _from_module(
    module: Any, source: Artifact, out: Path, options: OnnxOptions, why: str
) -> Conversion:
    """With ``dynamo=False``: traces a plain module, keeps the branches of a scripted one."""
    import torch

    signature = source.signature

    def write(target: Path) -> None:
        torch.onnx.export(
            module,
            example_tensors(signature),
            str(target),
            dynamo=False,
            opset_version=min(options.opset, LEGACY_OPSET),
            do_constant_folding=options.fold,
            dynamic_axes=_dynamic_axes(signature),
            **_names(signature),
        )

    step = Step("export", "torch.onnx (TorchScript-based)", _TORCH.version or "", {}, (why,))
    said = _export(write, out, module)
    if options.opset > LEGACY_OPSET:
        save(moved(load(out), options.opset), out)
    made = finished(out, source, step, options)
    return replace(made, report=_report(made.step, said, ""))


def _export(write: Callable[[Path], None], out: Path, model: Any) -> tuple[str, ...]:
    """Write; gives what the exporter warned of. Raises UnsupportedModel naming the operators."""
    try:
        with warnings.catch_warnings(record=True) as caught, disk_errors():
            warnings.simplefilter("always")
            write(out)
    except (EngineError, MemoryError, OSError):
        raise
    except Exception as error:
        raise _inexpressible(error, model) from error
    return tuple(dict.fromkeys(first_line(str(item.message)) for item in caught))


def _report(step: Step, said: tuple[str, ...], exporter: str) -> str:
    """What the exporter left to be read: its warnings, then its own report where it writes one."""
    lines = [f"# {step.tool} {step.version}", "", *step.notes, ""]
    lines += ["## Warnings", "", *(said or ("None.",)), ""]
    return "\n".join(lines) + exporter


def _inexpressible(error: Exception, model: Any) -> EngineError:
    operators = operators_named(str(error.__cause__ or "") + " " + str(error))
    if operators:
        return UnsupportedModel(
            f"ONNX cannot express this model: it has no form of {placed(model, operators)}.",
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


def _outgrows(module: Any) -> bool:
    weights = (*module.parameters(), *module.buffers())
    return bool(
        sum(item.numel() * item.element_size() for item in weights) > onnxfile.PROTOBUF_LIMIT
    )
