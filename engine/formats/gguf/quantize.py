"""GGUF to GGUF of fewer bits, by llama.cpp's own quantizer."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

from engine import processor
from engine.errors import BadRequest, UnsupportedModel
from engine.files import disk_errors
from engine.formats.gguf.about import variant_of
from engine.formats.gguf.file import Header, check
from engine.formats.gguf.llama import LLAMA, failed, library, llama_errors
from engine.formats.gguf.matrix import ImportanceMatrix
from engine.formats.gguf.quantizations import (
    NO_MATRIX,
    QUANTIZATIONS,
    GgufOptions,
    Quantization,
)
from engine.formats.gguf.weighing import weigh
from engine.registry import MATRIX, Conversion, Given, converter
from engine.types import Artifact, Step

_WHOLE = ("F32", "F16", "BF16", "F64")
_NAMED = 8
_LONGEST_RECORD = 127
"""Bytes that llama.cpp has room for."""


def refuse_without_matrix(wanted: Quantization, options: GgufOptions) -> None:
    """Raise UnsupportedModel where a type needs to know which weights matter and is not told."""
    if wanted.needs_matrix and options.matrix == NO_MATRIX:
        raise UnsupportedModel(
            f"{wanted.name} throws away so much that llama.cpp asks for an importance matrix: "
            "which weights matter, seen on a text.",
            hint="Choose one in GGUF's options (matrix=shipped: from the text Assay ships; "
            "matrix=data: from yours), or a type of more bits, such as Q2_K or IQ3_S.",
        )


@converter("gguf", "gguf", given=True)
def gguf_from_gguf(
    source: Artifact, out: Path, options: GgufOptions, given: Given | None = None
) -> Conversion:
    """Another type of the same model. From a quantized file it says that bits were lost twice."""
    wanted = QUANTIZATIONS[options.type]
    refuse_without_matrix(wanted, options)
    before = check(source.path)
    if variant_of(before) == wanted.name:
        raise BadRequest(
            f"This file is {wanted.name} already: there is nothing to change.",
            hint="Choose another type.",
        )
    weighed = weigh(source.path, out, wanted, options, given)
    notes = quantize(source.path, out, wanted, processor.cores(), weighed.matrix)
    if lossy := [name for name in before.mix if name not in _WHOLE]:
        notes += (
            f"Quantized from weights that were {', '.join(lossy)} already: what those lost is "
            "lost here too. Quantize the original where you have it.",
        )
    step = Step(
        verb="quantize",
        tool="llama.cpp's llama_model_quantize",
        version=LLAMA.version or "",
        options={"type": wanted.name, **weighed.told},
        notes=(*notes, *weighed.notes),
    )
    return Conversion(
        source.signature,
        step,
        weighed.variant(wanted),
        report_of(out, wanted),
        beside=weighed.beside,
    )


def quantize(
    source: Path,
    out: Path,
    wanted: Quantization,
    threads: int,
    matrix: ImportanceMatrix | None = None,
) -> tuple[str, ...]:
    """Write ``out``; gives notes on what became of the tensors. Raises InvalidModel."""
    llama = library()
    params = llama.llama_model_quantize_default_params()
    params.ftype = wanted.number
    params.nthread = threads
    params.allow_requantize = True
    # The library holds addresses only: what they point to has to live until it is done.
    kept = _give(llama, params, matrix) if matrix else ()
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
    finally:
        del kept


def _give(llama: Any, params: Any, matrix: ImportanceMatrix) -> tuple[Any, ...]:
    """Put a matrix into the quantizer's parameters, and the record of it into the file it writes.

    Gives what must be kept alive.
    """
    means = {name.encode(): weight.means for name, weight in matrix.weights.items()}
    entries = (llama.llama_model_imatrix_data * (len(means) + 1))()  # the last one ends the list
    for entry, (name, values) in zip(entries, means.items(), strict=False):
        entry.name, entry.size = name, values.size
        entry.data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    records: dict[str, str | int] = {
        "file": MATRIX,
        "dataset": matrix.text,
        "entries_count": len(means),
        "chunks_count": matrix.chunks,
    }
    overrides = (llama.llama_model_kv_override * (len(records) + 1))()
    for override, (key, value) in zip(overrides, records.items(), strict=False):
        override.key = f"quantize.imatrix.{key}".encode()
        if isinstance(value, int):
            override.tag = llama.LLAMA_KV_OVERRIDE_TYPE_INT
            override.value.val_i64 = value
        else:
            override.tag = llama.LLAMA_KV_OVERRIDE_TYPE_STR
            override.value.val_str = value.encode()[:_LONGEST_RECORD]
    params.imatrix, params.kv_overrides = entries, overrides
    return entries, overrides, means


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
