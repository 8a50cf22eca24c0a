"""How much an operator computes and moves, from the shapes that ONNX Runtime's profiler saw."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from engine.tuning.model import TimeKind

Shaped = tuple[str, tuple[int, ...]]
"""A tensor as the profiler tells it: its element type and its shape."""

_CONVERSIONS = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Cast"}
_LAYOUT = {
    *("ReorderInput", "ReorderOutput", "Transpose", "Reshape", "Concat", "Split", "Slice"),
    *("Gather", "Unsqueeze", "Squeeze", "Flatten", "Expand", "Identity", "MemcpyFromHost"),
}
_LOOKED_UP = {"GatherBlockQuantized"}
"""Its rows are in few bits and are unpacked to float."""
_FEW_BITS = "MatMulNBits"
"""Weights in few bits; its attributes say how long its sums are, and what it multiplies in."""
_IN_INT8 = 4
"""The ``accuracy_level`` at which its activations are turned into INT8 for the product."""
_EIGHT_BITS = {"int8", "uint8"}
_HALVES = {"float16", "bfloat16"}
_CONVOLUTIONS = {"Conv", "FusedConv", "QLinearConv", "ConvInteger", "NhwcFusedConv"}
_TRANSPOSED = {"ConvTranspose"}
_PRODUCTS = {
    *("MatMul", "FusedMatMul", "Gemm", "FusedGemm", "QGemm", "QLinearMatMul", "MatMulInteger"),
    *("MatMulIntegerToFloat", "DynamicQuantizeMatMul", "TransposeMatMul"),
}


def tensors(told: Sequence[Mapping[str, Sequence[int]]]) -> list[Shaped]:
    """The profiler's list of types and shapes."""
    return [(kind, tuple(map(int, shape))) for item in told for kind, shape in item.items()]


def kind_of(
    operator: str,
    inputs: Sequence[Shaped],
    outputs: Sequence[Shaped],
    attributes: Mapping[str, int] | None = None,
) -> TimeKind:
    """What it did with its time. ``attributes`` are the node's whole numbers."""
    if operator in _CONVERSIONS:
        return "conversion"
    if operator in _LAYOUT:
        return "layout"
    if operator in _LOOKED_UP:
        return "float"
    if operator == _FEW_BITS:
        if (attributes or {}).get("accuracy_level") == _IN_INT8:
            return "int8"
        inputs = inputs[:1]  # the others are the weights and their scales
    types = {kind for kind, _ in (*inputs, *outputs)}
    if types & _EIGHT_BITS:
        return "int8"
    return "half" if types & _HALVES else "float"


def operations(
    operator: str,
    inputs: Sequence[Shaped],
    outputs: Sequence[Shaped],
    weights: Sequence[tuple[int, ...]],
    attributes: Mapping[str, int] | None = None,
) -> int:
    """Multiplications and additions of one run; elsewhere one operation for every value given.

    ``weights`` are the shapes of the node's constants: the profiler forgets those that a kernel
    has packed for itself. ``attributes`` are the node's whole numbers: weights in few bits lie in
    blocks, and K alone says how long the sums are.
    """
    given = math.prod(outputs[0][1]) if outputs else 0
    if operator == _FEW_BITS:
        return 2 * given * (attributes or {}).get("K", inputs[0][1][-1])
    shapes = [shape for _, shape in inputs if len(shape) > 1]
    large = [shape for shape in weights if len(shape) > 1]
    if not shapes or operator not in _CONVOLUTIONS | _PRODUCTS | _TRANSPOSED:
        return given
    second = (large or shapes[1:] or [()])[0]
    if operator in _CONVOLUTIONS:
        return 2 * given * math.prod(second[1:])
    if operator in _TRANSPOSED:
        return 2 * math.prod(shapes[0]) * math.prod(second[1:])
    return 2 * given * _inner(shapes[0], second, given)


def _inner(first: tuple[int, ...], second: tuple[int, ...], given: int) -> int:
    """The length of the sums of a product, whichever of the two is transposed."""
    if len(first) == len(second) == 2 and given:
        return round(math.sqrt(math.prod(first) * math.prod(second) / given))
    return first[-1]


def moved(told: Mapping[str, Any], constants: int) -> int:
    """Bytes read and written, each once: what goes in, the node's constants, and what comes out."""
    return constants + int(told.get("activation_size", 0)) + int(told.get("output_size", 0))
