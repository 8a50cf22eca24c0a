"""INT8 dynamic on an eager model: kept on record in its folder, done when it is built.

The folder keeps its float32 weights: PyTorch's 8-bit layers have no form in a safetensors file. The
TorchScript made of it holds the 8 bits, and is the file that gets smaller.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.architectures import folder, precision, surgery
from engine.changes import Given, handles
from engine.errors import BadRequest, UnsupportedModel
from engine.lazy import Requirement
from engine.passes.int8_dynamic.options import Int8DynamicOptions
from engine.registry import Conversion
from engine.types import Artifact, Scalar, Step

_TORCH = Requirement("torch", "torch")
_ENGINES = {
    "x86": "FBGEMM and oneDNN, chosen by PyTorch for this x86 processor",
    "fbgemm": "FBGEMM, for x86 processors",
    "onednn": "oneDNN",
    "qnnpack": "QNNPACK, for ARM processors",
}
_NOTES = (
    "The folder keeps float32 weights, which are quantized each time it is loaded; the TorchScript "
    "made of it holds 8 bits, and is the file that is smaller.",
    "PyTorch has deprecated this quantization (torch.ao.quantization); torchao's quantize_ is its "
    "successor, whose layers TorchScript cannot hold.",
)


def fits(artifact: Artifact) -> str | None:
    """Why this model cannot be quantized; None where it may."""
    if surgery.read(artifact.path).precision:
        return "This model's precision is changed already."
    return None


@handles("int8-dynamic", "torch", fits=fits, onward=("torchscript",))
def int8_dynamic(
    source: Artifact, out: Path, options: Int8DynamicOptions, given: Given
) -> Conversion:
    """By PyTorch's eager quantization: Linear, LSTM, GRU … Raises UnsupportedModel."""
    import torch

    _refuse_unread(options)
    given.progress("Reading the model", 0.1)
    bare = folder.bare(source.path)
    layers = precision.quantizable(bare)
    if not layers:
        raise UnsupportedModel(
            f"{type(bare).__name__} has no linear or recurrent layer, and PyTorch quantizes no "
            "other dynamically.",
            hint="For convolutions, calibrate: INT8 static on ONNX.",
        )
    share = _share(bare, layers)
    done = replace(surgery.read(source.path), precision="int8", per_channel=options.per_channel)
    folder.rewrite(source.path, out, bare, done=done)
    given.progress("Running it in 8 bits", 0.6)
    precision.check(folder.build(out), source.signature, "8 bits")
    engine = str(torch.backends.quantized.engine)
    said = (
        f"{len(layers)} layers with {100 * share:.1f} % of the weights are computed in 8 bits, by "
        f"{_ENGINES.get(engine, engine)}.",
        *_NOTES,
    )
    asked: dict[str, Scalar] = {"engine": engine, "per_channel": options.per_channel}
    step = Step("quantize", "torch.ao.quantization", _TORCH.version or "", asked, said)
    return Conversion(source.signature, step)


def _refuse_unread(options: Int8DynamicOptions) -> None:
    """Raise BadRequest for what only the quantizer of ONNX Runtime can do."""
    if options.exclude or options.conv:
        name = "exclude" if options.exclude else "conv"
        raise BadRequest(
            f"INT8 dynamic has no option {name!r} on PyTorch: it takes every linear and recurrent "
            "layer, and no other.",
            hint="Leave it as it was, or ask for INT8 dynamic on ONNX, where it is read.",
        )


def _share(bare: Any, layers: tuple[str, ...]) -> float:
    modules = dict(bare.named_modules())
    inside = sum(item.numel() for name in layers for item in modules[name].parameters())
    whole = sum(item.numel() for item in bare.parameters())
    return float(inside / whole)
