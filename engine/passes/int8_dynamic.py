"""INT8, dynamic: weights stored in 8 bits, activations scaled as they come. Needs no data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.changes import Given, Pass, handles
from engine.lazy import Requirement
from engine.options import choice
from engine.registry import Conversion
from engine.types import Artifact, Step


@dataclass(frozen=True, slots=True)
class Int8DynamicOptions:
    """Of weights; what goes in is always scaled as a whole, as it comes."""

    per_channel: bool = choice(
        False,
        "A scale for every channel",
        "Closer to the original, and a little slower on some processors.",
    )


PASSES = (
    Pass(
        "int8-dynamic",
        "INT8 dynamic",
        "Weights in 8 bits, a quarter of the size, with no data needed. Helps where most of the "
        "time goes into matrix products: transformers, recurrent nets.",
        "precision",
        options=Int8DynamicOptions,
        precision="int8",
    ),
)


@handles("int8-dynamic", "onnx", onward=())
def onnx(source: Artifact, out: Path, options: Int8DynamicOptions, given: Given) -> Conversion:
    """By ONNX Runtime's own quantizer, on what it takes: MatMul, Gemm, Attention, LSTM …"""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    given.progress("Quantizing the weights", 0.2)
    quantize_dynamic(
        str(source.path), str(out), per_channel=options.per_channel, weight_type=QuantType.QInt8
    )
    version = Requirement("onnxruntime", "onnxruntime").version or ""
    return Conversion(source.signature, Step("quantize", "onnxruntime", version))
