"""Comparisons, truth values, bits, choices, and types."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.ops.arithmetic import broadcast
from engine.formats.savedmodel.table import op
from engine.formats.savedmodel.values import Value

_COMPARE = {
    "Equal": "equal",
    "Greater": "greater",
    "GreaterOrEqual": "greater_equal",
    "Less": "less",
    "LessOrEqual": "less_equal",
    "And": "logical_and",
    "Or": "logical_or",
    "Xor": "logical_xor",
}


@op(*_COMPARE)
def compare_old(node: Node, one: Any, other: Any) -> Any:
    """Before opset 7 the second operand is aligned by an attribute."""
    return compare(node, one, broadcast(node, one, other))


@op(*_COMPARE, since=7, layout="any")
def compare(node: Node, one: Any, other: Any) -> Any:
    return getattr(tf.math, _COMPARE[node.op])(one, other)


@op("Not", layout="any")
def negate(node: Node, x: Any) -> Any:
    return tf.logical_not(x)


@op("BitwiseAnd", "BitwiseOr", "BitwiseXor", layout="any")
def bitwise(node: Node, *terms: Any) -> Any:
    names = {"BitwiseAnd": "bitwise_and", "BitwiseOr": "bitwise_or", "BitwiseXor": "bitwise_xor"}
    return functools.reduce(getattr(tf.bitwise, names[node.op]), terms)


@op("BitwiseNot", layout="any")
def invert(node: Node, x: Any) -> Any:
    return tf.bitwise.invert(x)


@op("BitShift", layout="any")
def shift(node: Node, x: Any, by: Any) -> Any:
    """By as many bits as there are, or more, everything is shifted out: zero, or all signs."""
    left = node.get("direction") == "LEFT"
    width = tf.constant(x.dtype.size * 8, by.dtype)
    inside = by < width
    if not by.dtype.is_unsigned:
        inside &= by >= tf.zeros([], by.dtype)
    near = tf.where(inside, by, tf.zeros_like(by))
    moved = (tf.bitwise.left_shift if left else tf.bitwise.right_shift)(x, near)
    out = tf.zeros_like(x)
    if not left and not x.dtype.is_unsigned:
        out = tf.where(x < out, tf.cast(-1, x.dtype), out)
    return tf.where(inside, moved, out)


@op("Where", layout="any")
def where(node: Node, condition: Any, one: Any, other: Any) -> Any:
    return tf.where(condition, one, other)


def tensorflow_type(number: int) -> Any:
    """TensorFlow's type for a number of ONNX's TensorProto.DataType."""
    from onnx import helper

    return tf.as_dtype(helper.tensor_dtype_to_np_dtype(number))


@op("Cast", layout="any")
def cast(node: Node, x: Any) -> Any:
    wanted = tensorflow_type(node.get("to"))
    if wanted == tf.string:
        raise node.unsupported("numbers written as text look different in TensorFlow")
    return cast_to(x, wanted)


@op("CastLike", layout="any")
def cast_like(node: Node, x: Any, like: Any) -> Any:
    return cast_to(x, like.dtype)


@op("BitCast", layout="any")
def bitcast(node: Node, x: Any) -> Any:
    wanted = tensorflow_type(node.get("to"))
    x = tf.cast(x, tf.uint8) if x.dtype == tf.bool else x
    return tf.cast(x, tf.bool) if wanted == tf.bool else tf.bitcast(x, wanted)


def cast_to(x: Any, wanted: Any) -> Any:
    """Cast; anything but zero is true; text is parsed."""
    if x.dtype == wanted:
        return x
    if x.dtype == tf.string:
        return tf.cast(tf.strings.to_number(x, tf.float64), wanted)
    if wanted == tf.bool:
        return tf.not_equal(x, tf.zeros([], x.dtype))
    return tf.cast(x, wanted)


@op("OptionalHasElement", layout="own")
def has_element(node: Node, x: Value | None = None) -> Any:
    """A tensor always is an element; an input left out never."""
    return np.asarray(x is not None)


@op("OptionalGetElement", "Optional", layout="own")
def get_element(node: Node, x: Value | None = None) -> Any:
    """An optional tensor that is there is that tensor."""
    if x is None:
        raise node.unsupported("it is an optional value without an element")
    return x
