"""INT8, calibrated: weights and activations in 8 bits, with ranges found from samples (Q/DQ)."""

from __future__ import annotations

from engine.changes import Pass
from engine.passes.int8_static import onnx
from engine.passes.int8_static.options import Int8StaticOptions

__all__ = ["PASSES", "Int8StaticOptions", "onnx"]

PASSES = (
    Pass(
        "int8-static",
        "INT8 calibrated",
        "Weights and activations in 8 bits, a quarter of the size; the ranges are found from "
        "samples of your data. The usual choice for convolutional nets: faster where the processor "
        "multiplies 8-bit integers (VNNI, AMX, ARM dot product), and on GPUs by TensorRT.",
        "precision",
        options=Int8StaticOptions,
        precision="int8 calibrated",
        printed_as="int8",
        wants="samples",
        per_target=True,
        leaves_pairs=True,
    ),
)
