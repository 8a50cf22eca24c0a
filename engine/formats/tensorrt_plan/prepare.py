"""ONNX → a graph TensorRT takes: opset, precision, Q/DQ pairs, shapes, and the commands."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine import halving, opsets
from engine.errors import ConversionError, UnsupportedModel
from engine.files import disk_errors, hash_path
from engine.formats.tensorrt_plan import check
from engine.lazy import Requirement
from engine.nvidia import PLAN_SCHEMA, GraphOptions, Plan, Profile, profile_for
from engine.onnxfile import outgrows_one_file
from engine.options import choice
from engine.records import dump
from engine.registry import Conversion, converter
from engine.registry import load as load_artifact
from engine.types import Artifact, Scalar, Step

GRAPH, DATA, PLAN = "model.onnx", "model.onnx.data", "tensorrt.json"
_ORT = Requirement("onnxruntime", "onnxruntime")
_FLAGS = {"8.5": {"FP16": "--fp16", "INT8": "--int8"}, "10": {"": "--stronglyTyped"}}
"""What trtexec needs beside the graph, by generation and precision; from 11 on, nothing."""


@dataclass(frozen=True, slots=True)
class PlanOptions(GraphOptions):
    """What may be chosen when a graph is prepared without a GPU."""

    version: str = choice(
        "11",
        "TensorRT on the GPU host",
        "Decides the opset and which operators there are.",
        values={"11": "11.x", "10": "10.x", "8.5": "8.5 or 8.6"},
    )


@converter("onnx", "tensorrt_plan")
def tensorrt_plan_from_onnx(source: Artifact, out: Path, options: PlanOptions) -> Conversion:
    """Put the precision into the graph, check it as TensorRT's parser will, and plan the build."""
    profile = profile_for(source.signature, options)
    model, moved = _fit_opset(load_artifact(source), options.version)
    notes = [*moved]
    precision = _precision(model, options.precision)
    if precision == "INT8":
        notes += _quantized(model)
    elif precision == "FP16" and _floats(model) != "FP16":
        model, more = halving.fp16(model, keep_io=True)
        notes += more
    check.refuse_unsupported(model, options.version)
    notes += check.remarks(model)
    _save(model, out)
    plan = Plan(
        schema=PLAN_SCHEMA,
        precision=precision,
        tensorrt=options.version,
        opset=opsets.opset_of(model),
        onnx=GRAPH,
        onnx_sha256=hash_path(out / GRAPH),
        profile=profile,
        operators=check.operators(model),
        notes=tuple(notes),
        commands=_commands(options.version, precision, profile),
    )
    with disk_errors():
        text = json.dumps(dump(plan), indent=2, ensure_ascii=False)
        (out / PLAN).write_text(text + "\n", encoding="utf-8")
    told: dict[str, Scalar] = {
        "precision": precision,
        "tensorrt": options.version,
        "opset": plan.opset,
    }
    then = f"Download it; on the machine with the GPU: {plan.commands['assay']}"
    step = Step("prepare for TensorRT", "onnxruntime", _ORT.version or "", told, (*notes, then))
    return Conversion(source.signature, step, variant=precision)


def _precision(model: Any, asked: str) -> str:
    """The precision the graph is going to have. Raises UnsupportedModel where it cannot."""
    has = "INT8" if check.is_quantized(model) else _floats(model)
    if asked == "graph" or asked.upper() == has:
        return has
    if asked == "int8":
        raise UnsupportedModel(
            "INT8 needs the range of every activation, and this graph carries none: it has no "
            "QuantizeLinear/DequantizeLinear pairs, and TensorRT no longer calibrates by itself.",
            hint="Quantize the ONNX model with calibration data first (recipe "
            "'onnx-quantize-static'), then bring that model. Static quantization inside Assay is "
            "still to come.",
        )
    if asked == "fp16" and has == "FP32":
        return "FP16"
    raise UnsupportedModel(
        f"The graph is {has} already; its {asked.upper()} values are gone.",
        hint="Start from the model as it was before, or leave the precision as in the graph.",
    )


def _floats(model: Any) -> str:
    """FP16 where most floating weights (or, without any, the inputs) are; else FP32."""
    import onnx

    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    kinds: Counter[int] = Counter()
    for item in model.graph.initializer:
        kinds[item.data_type] += int(np.prod(item.dims, dtype=np.int64))
    if not kinds[half] and not kinds[single]:
        kinds.update(value.type.tensor_type.elem_type for value in model.graph.input)
    return "FP16" if kinds[half] > kinds[single] else "FP32"


def _fit_opset(model: Any, generation: str) -> tuple[Any, tuple[str, ...]]:
    """The graph within the opsets this TensorRT reads, and a note where it had to move."""
    reader = next(item for item in opsets.READERS if item.runtime == f"TensorRT {generation}")
    found = opsets.opset_of(model)
    wanted = min(max(found, reader.low), reader.high)
    if wanted == found:
        return model, ()
    reads = f"{reader.runtime} reads opsets {reader.low} to {reader.high}"
    try:
        moved = opsets.moved(model, wanted)
    except UnsupportedModel as error:
        raise UnsupportedModel(
            f"{reads}. {error.message}",
            hint=f"Convert the original to ONNX with opset={wanted} and bring that file, or choose "
            "a newer TensorRT.",
        ) from error
    return moved, (f"Opset {found} became {wanted}: {reads}.",)


def _quantized(model: Any) -> tuple[str, ...]:
    remarks = check.check_quantization(model)
    folded = check.fold_biases(model)
    if not folded:
        return remarks
    return (*remarks, f"Biases in FP32 again, for TensorRT dequantizes no INT32: {folded}.")


def _save(model: Any, out: Path) -> None:
    """Write the graph into the new folder ``out``; its weights beside it where they outgrow it."""
    import onnx

    with disk_errors():
        out.mkdir(parents=True)
        if outgrows_one_file(model):
            onnx.save(model, str(out / GRAPH), save_as_external_data=True, location=DATA)
        else:
            onnx.save(model, str(out / GRAPH))
    try:
        onnx.checker.check_model(str(out / GRAPH))
    except onnx.checker.ValidationError as error:
        raise ConversionError(
            f"The prepared graph is not valid ONNX: {str(error).splitlines()[0]}",
            hint="Prepare it with the precision of the graph, which changes least.",
        ) from error


def _commands(generation: str, precision: str, profile: Profile) -> dict[str, str]:
    """The line for the GPU host, by the tool that is there."""
    flags = _FLAGS.get(generation, {})
    parts = ["trtexec", f"--onnx={GRAPH}", "--saveEngine=model.engine"]
    parts += [flag for key, flag in flags.items() if key in ("", precision)]
    dynamic = {name: span for name, span in profile.items() if span.min != span.max}
    for which in ("min", "opt", "max") if dynamic else ():
        shapes = ",".join(
            f"{_named(name)}:{'x'.join(map(str, getattr(span, which)))}"
            for name, span in dynamic.items()
        )
        parts.append(f"--{which}Shapes={shapes}")
    return {
        "assay": "python -m engine run --model model.prepared.zip --to tensorrt",
        "trtexec": shlex.join(parts),
    }


def _named(name: str) -> str:
    """An input's name as trtexec reads it: in quotes where it holds a colon."""
    return f"'{name}'" if ":" in name else name
