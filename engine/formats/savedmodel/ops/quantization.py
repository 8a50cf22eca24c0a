"""Integers that stand for reals: to and from them, and arithmetic on them.

Sums of products of 8-bit integers are taken in float64, where they are exact: TensorFlow convolves
no integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.ops import convolution
from engine.formats.savedmodel.table import op
from engine.formats.savedmodel.values import Value


@op("QuantizeLinear")
def quantize_linear(node: Node, x: Any, scale: Any, zero: Any = None) -> Any:
    """round(x / scale) + zero, kept within the target type."""
    target = _target(node, zero)
    axis, block = node.get("axis", 1), node.get("block_size", 0)
    wide = _precision(node, x, scale)
    quotient = tf.cast(x, wide) / tf.cast(_spread(scale, x, axis, block), wide)
    return _stored(quotient, _spread(zero, x, axis, block), target)


def _target(node: Node, zero: Any) -> Any:
    from onnx import helper

    if zero is not None:
        return zero.dtype
    given = node.get("output_dtype", 0)
    return tf.as_dtype(helper.tensor_dtype_to_np_dtype(given)) if given else tf.uint8


def _precision(node: Node, x: Any, scale: Any) -> Any:
    """The type to divide in: the model's own word since opset 23, else the scale's."""
    from onnx import helper

    given = node.get("precision", 0)
    if given:
        return tf.as_dtype(helper.tensor_dtype_to_np_dtype(given))
    return scale.dtype if x.dtype.is_integer else x.dtype


def _stored(real: Any, zero: Any, target: Any) -> Any:
    """Rounded to the nearest even, moved by the zero point, kept within the type."""
    bounds = np.iinfo(target.as_numpy_dtype)
    exact = tf.cast(tf.round(real), tf.float64)
    if zero is not None:
        exact += tf.cast(zero, tf.float64)
    return tf.cast(tf.clip_by_value(exact, float(bounds.min), float(bounds.max)), target)


def _spread(value: Any, x: Any, axis: int, block: int) -> Any:
    """A scale or zero point so that it meets ``x``: per tensor, per slice of an axis, per block."""
    if value is None or value.shape.rank == 0:
        return value
    rank = x.shape.rank
    if block:
        return tf.gather(tf.repeat(value, block, axis), tf.range(tf.shape(x)[axis]), axis=axis)
    if value.shape.num_elements() == 1:
        return tf.reshape(value, [])
    return tf.reshape(value, [-1 if at == axis % rank else 1 for at in range(rank)])


@op("DequantizeLinear")
def dequantize_linear(node: Node, x: Any, scale: Any, zero: Any = None) -> Any:
    """(x - zero) * scale, in the type of the scale."""
    from onnx import helper

    axis, block = node.get("axis", 1), node.get("block_size", 0)
    given = node.get("output_dtype", 0)
    target = tf.as_dtype(helper.tensor_dtype_to_np_dtype(given)) if given else scale.dtype
    moved = x
    if zero is not None:
        moved = tf.cast(x, tf.int32) - tf.cast(_spread(zero, x, axis, block), tf.int32)
    wide = tf.float32 if scale.dtype in (tf.float16, tf.bfloat16) else scale.dtype
    return tf.cast(tf.cast(moved, wide) * tf.cast(_spread(scale, x, axis, block), wide), target)


@op("DynamicQuantizeLinear")
def dynamic_quantize_linear(_: Node, x: Any) -> Any:
    """Scale and zero point from the range of the values, which always holds 0."""
    low = tf.minimum(tf.reduce_min(x), 0.0)
    high = tf.maximum(tf.reduce_max(x), 0.0)
    scale = (high - low) / 255.0
    safe = tf.where(scale == 0.0, tf.ones_like(scale), scale)
    zero = tf.cast(tf.clip_by_value(tf.round(-low / safe), 0.0, 255.0), tf.uint8)
    return _stored(x / safe, zero, tf.uint8), scale, zero


@op("MatMulInteger")
def matmul_integer(node: Node, a: Any, b: Any, a_zero: Any = None, b_zero: Any = None) -> Any:
    """The product of integers, less their zero points, as int32."""
    return tf.cast(_product(a, b, a_zero, b_zero), tf.int32)


def _product(a: Any, b: Any, a_zero: Any, b_zero: Any) -> Any:
    rows = a_zero if a_zero is None or a_zero.shape.rank != 1 else a_zero[:, None]
    return tf.matmul(_exact(a, rows), _exact(b, b_zero))


def _exact(x: Any, zero: Any) -> Any:
    """The integers less their zero point, in float64."""
    moved = tf.cast(x, tf.float64)
    return moved if zero is None else moved - tf.cast(zero, tf.float64)


@op("QLinearMatMul")
def qlinear_matmul(
    node: Node,
    a: Any,
    a_scale: Any,
    a_zero: Any,
    b: Any,
    b_scale: Any,
    b_zero: Any,
    y_scale: Any,
    y_zero: Any,
) -> Any:
    """The product, rescaled to the output's integers."""
    rows = a_scale[:, None] if a_scale.shape.rank == 1 and a_scale.shape[0] != 1 else a_scale
    scale = tf.cast(rows, tf.float64) * tf.cast(b_scale, tf.float64) / tf.cast(y_scale, tf.float64)
    return _stored(_product(a, b, a_zero, b_zero) * scale, y_zero, y_zero.dtype)


@op("ConvInteger")
def conv_integer(node: Node, x: Any, w: Any, x_zero: Any = None, w_zero: Any = None) -> Any:
    """The convolution of integers, less their zero points, as int32."""
    return tf.cast(_convolved(node, x, w, x_zero, w_zero), tf.int32)


def _convolved(node: Node, x: Any, w: Any, x_zero: Any, w_zero: Any) -> Any:
    """In float64. Padding is put on afterwards, so that it stands for the real 0."""
    if w_zero is not None and w_zero.shape.rank == 1:
        w_zero = tf.reshape(w_zero, [-1, *[1] * (w.shape.rank - 1)])
    given, weight = Value(plain=_exact(x, x_zero)), Value(plain=_exact(w, w_zero))
    return convolution.conv(node, given, weight).plain()


@op("QLinearConv")
def qlinear_conv(
    node: Node,
    x: Any,
    x_scale: Any,
    x_zero: Any,
    w: Any,
    w_scale: Any,
    w_zero: Any,
    y_scale: Any,
    y_zero: Any,
    b: Any = None,
) -> Any:
    """The convolution, its bias in int32, rescaled to the output's integers."""
    made = _convolved(node, x, w, x_zero, w_zero)
    channels = [1, -1, *[1] * (x.shape.rank - 2)]
    if b is not None:
        made += tf.reshape(tf.cast(b, tf.float64), channels)
    scales = tf.cast(x_scale, tf.float64) * tf.cast(w_scale, tf.float64)
    ratio = tf.reshape(scales, channels) / tf.cast(y_scale, tf.float64)
    return _stored(made * ratio, y_zero, y_zero.dtype)
