"""Half precision: FP16 and BF16, two bytes a value. One file for each kind of format."""

from __future__ import annotations

from engine.changes import Pass
from engine.passes.half import onnx, torch
from engine.passes.half.options import HalfOptions

__all__ = ["PASSES", "HalfOptions", "onnx", "torch"]

PASSES = (
    Pass(
        "fp16",
        "FP16",
        "Half the size, nearly the same answers. Faster on GPUs and on processors that compute in "
        "FP16; on others only slower, and then done only when asked for all the same.",
        "precision",
        options=HalfOptions,
        precision="float16",
        printed_as="fp16",
        per_target=True,
    ),
    Pass(
        "bf16",
        "BF16",
        "Half the size with the range of float32 and fewer digits than FP16. Faster on GPUs and on "
        "processors that multiply in BF16.",
        "precision",
        options=HalfOptions,
        precision="bfloat16",
        per_target=True,
    ),
)
