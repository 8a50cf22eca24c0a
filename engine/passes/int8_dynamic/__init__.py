"""INT8, dynamic: weights stored in 8 bits, activations scaled as they come. Needs no data."""

from __future__ import annotations

from engine.changes import Pass
from engine.passes.int8_dynamic import onnx, torch
from engine.passes.int8_dynamic.options import Int8DynamicOptions

__all__ = ["PASSES", "Int8DynamicOptions", "onnx", "torch"]

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
