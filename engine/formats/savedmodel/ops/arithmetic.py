"""Numbers with numbers: sums, products, powers, roots, trigonometry, rounding, bounds."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.table import op

_UNARY = {
    "Abs": "abs",
    "Acos": "acos",
    "Acosh": "acosh",
    "Asin": "asin",
    "Asinh": "asinh",
    "Atan": "atan",
    "Atanh": "atanh",
    "Ceil": "ceil",
    "Cos": "cos",
    "Cosh": "cosh",
    "Erf": "erf",
    "Exp": "exp",
    "Floor": "floor",
    "IsNaN": "is_nan",
    "Log": "log",
    "Neg": "negative",
    "Reciprocal": "reciprocal",
    "Round": "round",
    "Sign": "sign",
    "Sin": "sin",
    "Sinh": "sinh",
    "Sqrt": "sqrt",
    "Tan": "tan",
}


def _unary(name: str) -> Any:
    return lambda node, x: getattr(tf.math, name)(x)


for _operator, _function in _UNARY.items():
    op(_operator, layout="any")(_unary(_function))


def broadcast(node: Node, one: Any, other: Any) -> Any:
    """The second operand as opsets before 7 aligned it: at ``axis``, if ``broadcast`` is set."""
    if node.opset >= 7 or not node.get("broadcast", 0) or node.get("axis") is None:
        return other
    trailing = one.shape.rank - node.get("axis") % one.shape.rank - other.shape.rank
    return tf.reshape(other, tf.concat([tf.shape(other), tf.ones([trailing], tf.int32)], 0))


def widened(tensor: Any) -> Any:
    """Small integers as int32 and unsigned ones as int64, which every TensorFlow kernel takes."""
    if tensor.dtype in (tf.int8, tf.uint8, tf.int16, tf.uint16):
        return tf.cast(tensor, tf.int32)
    return tf.cast(tensor, tf.int64) if tensor.dtype in (tf.uint32, tf.uint64) else tensor


@op("Add", "Sub", "Mul", layout="plain")
def arithmetic_old(node: Node, one: Any, other: Any) -> Any:
    """Before opset 7 the second operand is aligned by an attribute."""
    return arithmetic(node, one, broadcast(node, one, other))


@op("Add", "Sub", "Mul", since=7, layout="any")
def arithmetic(node: Node, one: Any, other: Any) -> Any:
    """The three that every type has."""
    call = {"Add": tf.add, "Sub": tf.subtract, "Mul": tf.multiply}[node.op]
    return call(one, other)


@op("Div")
def div_old(node: Node, one: Any, other: Any) -> Any:
    """Before opset 7 the second operand is aligned by an attribute."""
    return div(node, one, broadcast(node, one, other))


@op("Div", since=7, layout="any")
def div(node: Node, one: Any, other: Any) -> Any:
    """Integers are divided towards zero."""
    if one.dtype.is_integer:
        return tf.truncatediv(one, other)
    return tf.divide(one, other)


@op("Mod", layout="any")
def mod(node: Node, one: Any, other: Any) -> Any:
    """``fmod`` takes the sign of the dividend, otherwise the divisor gives it."""
    call = tf.truncatemod if node.get("fmod", 0) else tf.math.floormod
    if one.dtype in (tf.float16, tf.bfloat16):
        made = call(tf.cast(one, tf.float32), tf.cast(other, tf.float32))
    else:
        made = call(widened(one), widened(other))
    return tf.cast(made, one.dtype)


@op("Pow")
def power_old(node: Node, base: Any, exponent: Any) -> Any:
    """Before opset 7 the exponent is aligned by an attribute."""
    return power(node, base, broadcast(node, base, exponent))


@op("Pow", since=7, layout="any")
def power(node: Node, base: Any, exponent: Any) -> Any:
    """The result has the base's type, whatever the exponent's."""
    fixed = tf.get_static_value(exponent) if exponent.shape.rank == 0 else None
    if fixed is not None and base.dtype.is_floating and fixed in (2, 0.5):
        return tf.square(base) if fixed == 2 else tf.sqrt(base)
    if base.dtype == exponent.dtype:
        return tf.pow(base, exponent)
    if exponent.dtype.is_floating:
        return tf.cast(tf.pow(tf.cast(base, exponent.dtype), exponent), base.dtype)
    return tf.pow(base, tf.cast(exponent, base.dtype))


@op("Sum", layout="any")
def total(node: Node, *terms: Any) -> Any:
    """Of any number of tensors, element by element."""
    return functools.reduce(tf.add, terms)


@op("Mean", layout="any")
def mean(node: Node, *terms: Any) -> Any:
    """Of any number of tensors, element by element."""
    return functools.reduce(tf.add, terms) / tf.cast(len(terms), terms[0].dtype)


@op("Max", "Min", layout="any")
def extremes(node: Node, *terms: Any) -> Any:
    """Of any number of tensors, element by element."""
    call = tf.maximum if node.op == "Max" else tf.minimum
    return functools.reduce(lambda a, b: call(a, b), terms)


@op("Clip")
def clip_old(node: Node, x: Any) -> Any:
    """Before opset 11 the bounds are attributes."""
    low, high = node.get("min"), node.get("max")
    x = x if low is None else tf.maximum(x, tf.cast(low, x.dtype))
    return x if high is None else tf.minimum(x, tf.cast(high, x.dtype))


@op("Clip", since=11, layout="any")
def clip(node: Node, x: Any, low: Any = None, high: Any = None) -> Any:
    """Where the bounds cross, the upper one holds."""
    if low is not None and high is not None and _is(low, 0) and _is(high, 6):
        return tf.nn.relu6(x)
    x = x if low is None else tf.maximum(x, low)
    return x if high is None else tf.minimum(x, high)


@op("IsInf", layout="any")
def is_inf(node: Node, x: Any) -> Any:
    """Of either sign, or of one."""
    found = tf.math.is_inf(x)
    if not node.get("detect_negative", 1):
        found &= x > 0
    return found if node.get("detect_positive", 1) else found & (x < 0)


def _is(tensor: Any, number: float) -> bool:
    known = tf.get_static_value(tensor)
    return known is not None and tensor.dtype.is_floating and bool(np.all(known == number))
