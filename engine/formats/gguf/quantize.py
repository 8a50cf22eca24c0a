"""GGUF to GGUF of fewer bits, by llama.cpp's own quantizer."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from engine.errors import BadRequest, UnsupportedModel
from engine.files import disk_errors
from engine.formats.gguf.about import variant_of
from engine.formats.gguf.file import Header, check
from engine.formats.gguf.llama import LLAMA, failed, library, llama_errors
from engine.formats.gguf.quantizations import QUANTIZATIONS, GgufOptions, Quantization
from engine.registry import Conversion, converter
from engine.types import Artifact, Step

_WHOLE = ("F32", "F16", "BF16", "F64")
_NAMED = 8


def refuse_without_matrix(wanted: Quantization) -> None:
    """Raise UnsupportedModel for a type that needs to know which weights matter."""
    if wanted.needs_matrix:
        raise UnsupportedModel(
            f"{wanted.name} throws away so much that llama.cpp asks for an importance matrix "
            "(which weights matter, seen on example texts), and Assay does not make one yet.",
            hint="Choose Q2_K, IQ3_S or a type of more bits.",
        )


@converter("gguf", "gguf")
def gguf_from_gguf(source: Artifact, out: Path, options: GgufOptions) -> Conversion:
    """Another type of the same model. From a quantized file it says that bits were lost twice."""
    wanted = QUANTIZATIONS[options.type]
    refuse_without_matrix(wanted)
    before = check(source.path)
    if variant_of(before) == wanted.name:
        raise BadRequest(
            f"This file is {wanted.name} already: there is nothing to change.",
            hint="Choose another type.",
        )
    notes = quantize(source.path, out, wanted, len(os.sched_getaffinity(0)))
    if lossy := [name for name in before.mix if name not in _WHOLE]:
        notes += (
            f"Quantized from weights that were {', '.join(lossy)} already: what those lost is "
            "lost here too. Quantize the original where you have it.",
        )
    step = Step(
        verb="quantize",
        tool="llama.cpp's llama_model_quantize",
        version=LLAMA.version or "",
        options={"type": wanted.name},
        notes=notes,
    )
    return Conversion(source.signature, step, wanted.name, report_of(out, wanted))


def quantize(source: Path, out: Path, wanted: Quantization, threads: int) -> tuple[str, ...]:
    """Write ``out``; gives notes on what became of the tensors. Raises InvalidModel."""
    llama = library()
    params = llama.llama_model_quantize_default_params()
    params.ftype = wanted.number
    params.nthread = threads
    params.allow_requantize = True
    doing = f"quantizing to {wanted.name}"
    try:
        with disk_errors(), llama_errors(doing):
            paths = str(source).encode(), str(out).encode()
            if llama.llama_model_quantize(*paths, ctypes.byref(params)) != 0:
                raise failed(doing)
            return _notes(check(out), wanted)
    except BaseException:
        out.unlink(missing_ok=True)
        raise


def _notes(header: Header, wanted: Quantization) -> tuple[str, ...]:
    mix = ", ".join(f"{count:,} {name}" for name, (count, _) in header.mix.items())
    notes: tuple[str, ...] = (f"Tensors by type: {mix}.",)
    fallen = fallbacks(header, wanted)
    if fallen:
        some = "; ".join(fallen[:_NAMED]) + (" …" if len(fallen) > _NAMED else "")
        notes += (
            f"{len(fallen):,} of {len(header.tensors):,} tensors fell back to another type: "
            f"{wanted.name} stores {wanted.block} weights of a row together, and their rows are "
            f"no multiple of that: {some}.",
        )
    return notes


def report_of(path: Path, wanted: Quantization) -> str:
    """Every tensor that has another type than the one asked for, a line each; often none."""
    fallen = fallbacks(check(path), wanted)
    if not fallen:
        return ""
    return "\n".join((f"Not stored as {wanted.name}, but as the type in brackets:", *fallen))


def fallbacks(header: Header, wanted: Quantization) -> tuple[str, ...]:
    """The tensors whose rows the type does not fit, each with the type it has instead."""
    return tuple(
        f"{tensor.name} ({tensor.block.name})"
        for tensor in header.tensors
        if len(tensor.shape) > 1 and tensor.shape[-1] % wanted.block
    )
