"""Half precision in an eager model: two bytes a weight in its folder, and in TorchScript of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine import processor
from engine.architectures import folder, surgery
from engine.architectures.precision import check
from engine.changes import Given, handles
from engine.errors import BadRequest, UnsupportedModel
from engine.lazy import Requirement
from engine.passes.half.options import HalfOptions
from engine.registry import Conversion
from engine.types import Artifact, Step

_TORCH = Requirement("torch", "torch")
_ONWARD = ("torchscript", "exported")
_KEPT = ("BatchNorm", "LayerNorm", "GroupNorm", "InstanceNorm", "RMSNorm", "Softmax")
"""Layers whose sums and exponents want float32, by how their classes' names end, or begin."""


def fits(artifact: Artifact) -> str | None:
    """Why this model cannot be halved; None where it may."""
    if surgery.read(artifact.path).precision:
        return "This model's precision is changed already."
    return None


def slower_in_fp16(target: str) -> str:
    """Why FP16 gains PyTorch no time on this processor, in one sentence; empty if it may."""
    if processor.fp16_arithmetic():
        return ""
    return (
        f"FP16 gains PyTorch no time on this processor ({processor.name()}): without AVX-512 FP16 "
        "or AMX it computes in float32 and converts every value."
    )


def slower_in_bf16(target: str) -> str:
    """The same of BF16."""
    if processor.bf16_arithmetic():
        return ""
    return (
        f"BF16 gains PyTorch no time on this processor ({processor.name()}): it has neither "
        "AVX-512 BF16 nor AMX."
    )


@handles("fp16", "torch", fits=fits, onward=_ONWARD, caution=slower_in_fp16)
def fp16_torch(source: Artifact, out: Path, options: HalfOptions, given: Given) -> Conversion:
    """Weights and arithmetic in FP16. Raises UnsupportedModel for a weight beyond its range."""
    return _halved(source, out, options, given, "float16", slower_in_fp16(given.target))


@handles("bf16", "torch", fits=fits, onward=_ONWARD, caution=slower_in_bf16)
def bf16_torch(source: Artifact, out: Path, options: HalfOptions, given: Given) -> Conversion:
    """Weights and arithmetic in BF16."""
    return _halved(source, out, options, given, "bfloat16", slower_in_bf16(given.target))


def _halved(
    source: Artifact, out: Path, options: HalfOptions, given: Given, precision: Any, slower: str
) -> Conversion:
    if slower and not options.anyway:
        raise UnsupportedModel(
            slower, hint="Ask for it all the same (anyway=yes), or choose another precision."
        )
    if not options.keep_io:
        raise BadRequest(
            "A PyTorch model's inputs and outputs stay float32 here: the casts are part of it.",
            hint="Leave keep_io on, or choose FP16 on ONNX.",
        )
    given.progress("Rounding the weights", 0.2)
    bare = folder.bare(source.path)
    kept = _round(bare, precision)
    done = replace(surgery.read(source.path), precision=precision, kept=tuple(kept))
    folder.rewrite(source.path, out, bare, done=done)
    given.progress("Running it", 0.7)
    check(folder.build(out), source.signature, precision)
    step = Step(
        "halve", "torch", _TORCH.version or "", {"precision": precision}, _said(kept, slower)
    )
    return Conversion(source.signature, step)


def _round(bare: Any, precision: str) -> dict[str, str]:
    """Every weight in two bytes, but those of kept layers; gives these, by name: their class."""
    import torch

    low = getattr(torch, precision)
    kept = {
        name: type(item).__name__
        for name, item in bare.named_modules()
        if any(word in type(item).__name__ for word in _KEPT) and not any(item.children())
    }
    rounded: dict[int, Any] = {}  # by where they lie, so that tied weights stay tied
    for name, tensor in (*bare.named_parameters(), *bare.named_buffers()):
        if name.rpartition(".")[0] in kept or not tensor.is_floating_point() or not tensor.numel():
            continue
        _refuse_beyond(name, float(tensor.abs().max()), precision)
        place = tensor.data_ptr()
        if place not in rounded:
            rounded[place] = tensor.data.to(low)
        tensor.data = rounded[place]
    return kept


def _refuse_beyond(name: str, largest: float, precision: str) -> None:
    import torch

    end = torch.finfo(getattr(torch, precision)).max
    if largest > end:
        raise UnsupportedModel(
            f"The tensor {name!r} holds {largest:.3g}, and {precision} ends at {end:.3g}.",
            hint="Choose BF16, which has the range of float32.",
        )


def _said(kept: dict[str, str], slower: str) -> tuple[str, ...]:
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(kept.values()).most_common())
    first = ", ".join(list(kept)[:5])
    named = f"{kinds} stay in float32: {first}{' …' if len(kept) > 5 else ''}." if kept else ""
    casts = "What goes in and comes out stays float32; the casts are part of the model."
    return tuple(filter(None, (named, casts, slower)))
