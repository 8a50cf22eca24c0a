"""Half precision in an ONNX graph, and why not where it would only be slower."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from engine import halving, processor
from engine.changes import Given, handles
from engine.errors import BadRequest, UnsupportedModel
from engine.lazy import Requirement
from engine.onnxfile import load, onnx_errors, save, stamp
from engine.passes.half.options import HalfOptions
from engine.registry import Conversion
from engine.types import Artifact, Signature, Step, TensorSpec

_ONWARD = ("savedmodel", "tensorrt_plan", "tensorrt")
_ASK = "Ask for it all the same (anyway=yes), or choose INT8, or a format for a GPU."


def slower_in_fp16(target: str) -> str:
    """Why FP16 gains no time on this processor in that format, in one sentence; empty if it may."""
    here = processor.name()
    if target in ("", "onnx") and not (processor.is_arm() and processor.fp16_arithmetic()):
        return (
            f"FP16 only slows ONNX Runtime down on this processor ({here}): it has FP16 kernels "
            "for 64-bit ARM alone, and turns every value into float32 and back."
        )
    if target == "savedmodel" and not processor.fp16_arithmetic():
        return (
            f"FP16 gains TensorFlow no time on this processor ({here}): without AVX-512 FP16 or "
            "AMX it multiplies in float32."
        )
    return ""


def slower_in_bf16(target: str) -> str:
    """The same of BF16."""
    if target == "savedmodel" and not processor.bf16_arithmetic():
        return (
            f"BF16 gains TensorFlow no time on this processor ({processor.name()}): it has neither "
            "AVX-512 BF16 nor AMX."
        )
    return ""


@handles("fp16", "onnx", onward=_ONWARD, caution=slower_in_fp16)
def fp16_onnx(source: Artifact, out: Path, options: HalfOptions, given: Given) -> Conversion:
    """Weights and activations in FP16; operators that cannot stay FP32 and are named."""
    slower = _accepted(slower_in_fp16(given.target), options)
    given.progress("Turning the graph into FP16", 0.2)
    model, notes = _halved(lambda whole: halving.fp16(whole, options.keep_io), source)
    signature = source.signature if options.keep_io else _in_half(source.signature)
    return _written(model, source, out, options, (*slower, *notes), signature)


@handles("bf16", "onnx", onward=_ONWARD, final=False, caution=slower_in_bf16)
def bf16_onnx(source: Artifact, out: Path, options: HalfOptions, given: Given) -> Conversion:
    """Weights and activations in BF16, on the way to a runtime that has it."""
    slower = _accepted(slower_in_bf16(given.target), options)
    if not options.keep_io:
        raise BadRequest(
            "Inputs and outputs cannot be BF16: numpy, and so every client, has no such type.",
            hint="Leave keep_io on.",
        )
    given.progress("Turning the graph into BF16", 0.2)
    model, notes = _halved(halving.bf16, source)
    return _written(model, source, out, options, (*slower, *notes), source.signature)


def _accepted(slower: str, options: HalfOptions) -> tuple[str, ...]:
    """A note where a person wants it although it is slower. Raises UnsupportedModel otherwise."""
    if slower and not options.anyway:
        raise UnsupportedModel(slower, hint=_ASK)
    return (slower,) if slower else ()


def _halved(
    half: Callable[[Any], tuple[Any, tuple[str, ...]]], source: Artifact
) -> tuple[Any, tuple[str, ...]]:
    with onnx_errors("turning the graph into half precision"):
        return half(load(source.path))


def _written(
    model: Any,
    source: Artifact,
    out: Path,
    options: HalfOptions,
    notes: tuple[str, ...],
    signature: Signature,
) -> Conversion:
    import onnx

    save(model, out)
    with onnx_errors("checking the file"):
        onnx.checker.check_model(str(out))
    version = Requirement("onnxruntime", "onnxruntime").version or ""
    step = Step("halve", "onnxruntime", version, asdict(options), notes)
    stamp(out, source, step)
    return Conversion(signature, step)


def _in_half(signature: Signature) -> Signature:
    def half(spec: TensorSpec) -> TensorSpec:
        return replace(spec, dtype="float16") if spec.dtype == "float32" else spec

    return Signature(tuple(map(half, signature.inputs)), tuple(map(half, signature.outputs)))
