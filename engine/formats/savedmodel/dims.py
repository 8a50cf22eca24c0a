"""Arithmetic on shapes: what is known of a size stays known through Shape → Gather → Concat.

A vector of sizes is a Value whose ``sizes`` lists ints and scalar tensors. Each function here takes
such vectors and gives one, or None where it does not apply: then the operator's handler runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.values import Size, Value, is_known

_table: dict[str, Callable[[Node], Value | None]] = {}
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "Add": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
    "Div": lambda a, b: a // b,
    "Max": lambda a, b: max(a, b) if is_known([a, b]) else tf.maximum(*_both(a, b)),
    "Min": lambda a, b: min(a, b) if is_known([a, b]) else tf.minimum(*_both(a, b)),
}


def apply(node: Node) -> Value | None:
    """The node's result as sizes; None when it is not about sizes, or not expressible so."""
    rule = _table.get(node.op) if not node.domain else None
    if rule is None:
        return None
    partly = any(value is not None and value.sizes is not None for value in node.inputs)
    return rule(node) if partly or node.op in ("Shape", "Size") else None


def _sizes(*names: str) -> Callable[[Callable[[Node], Value | None]], Any]:
    def register(rule: Callable[[Node], Value | None]) -> Callable[[Node], Value | None]:
        _table.update(dict.fromkeys(names, rule))
        return rule

    return register


def vector(sizes: list[Size]) -> Value:
    """A vector of sizes: an array when all are known."""
    return Value(array=np.asarray(sizes, np.int64)) if is_known(sizes) else Value(sizes=sizes)


def scalar(size: Size) -> Value:
    """One size, without an axis."""
    if isinstance(size, int):
        return Value(array=np.asarray(size, np.int64))
    return Value(sizes=size)


@_sizes("Shape")
def _shape(node: Node) -> Value | None:
    value = node.value(0)
    if value is None or value.rank is None:
        return None
    axes = range(value.rank)[slice(node.get("start", 0), node.get("end"))]
    return vector([value.dim(axis) for axis in axes])


@_sizes("Size")
def _size(node: Node) -> Value | None:
    value = node.value(0)
    if value is None or value.shape is None or None in value.shape:
        return None
    return scalar(math.prod(size or 0 for size in value.shape))


@_sizes("Gather")
def _gather(node: Node) -> Value | None:
    data, index = node.value(0), node.value(1)
    if data is None or index is None or index.array is None or not _is_vector(data):
        return None
    found = data.elements() or []
    if index.array.ndim == 0:
        return scalar(found[int(index.array)])
    return vector([found[int(at)] for at in index.array]) if index.array.ndim == 1 else None


@_sizes("Slice")
def _slice(node: Node) -> Value | None:
    data = node.value(0)
    rest = node.inputs[1:]
    if data is None or not _is_vector(data) or any(v and v.array is None for v in rest):
        return None
    starts, ends, steps = node.ints(1, "starts"), node.ints(2, "ends"), node.ints(4, "", [1])
    if not starts or not ends or not steps:
        return None
    return vector((data.elements() or [])[slice(starts[0], ends[0], steps[0])])


@_sizes("Concat")
def _concat(node: Node) -> Value | None:
    there = [value for value in node.inputs if value is not None]
    if not all(_is_vector(value) and value.dtype == np.int64 for value in there):
        return None
    found = [value.elements() for value in there]
    if any(items is None for items in found):
        return None
    return vector([item for items in found for item in items or []])


@_sizes("Squeeze", "Reshape", "Unsqueeze", "Identity", "Cast")
def _reshaped(node: Node) -> Value | None:
    value = node.value(0)
    found = None if value is None or value.sizes is None else value.elements()
    if value is None or found is None:
        return None
    if node.op == "Cast":
        return value if node.get("to") == 7 else None
    if node.op == "Identity":
        return value
    if node.op == "Squeeze":
        return scalar(found[0]) if _is_vector(value) and len(found) == 1 else None
    if node.op == "Unsqueeze":
        return None if _is_vector(value) else vector(found)
    wanted = node.value(1)
    if wanted is None or wanted.array is None:
        return None
    if wanted.array.size == 0:
        return scalar(found[0])
    return vector(found) if wanted.array.size == 1 else None


@_sizes(*_ARITHMETIC)
def _arithmetic(node: Node) -> Value | None:
    if len(node.inputs) != 2:
        return None
    one, other = node.inputs
    if one is None or other is None or {one.dtype, other.dtype} != {np.dtype(np.int64)}:
        return None
    first, second = one.elements(), other.elements()
    if not first or not second or len(one.shape or ()) > 1 or len(other.shape or ()) > 1:
        return None
    wide = max(len(first), len(second))
    first, second = (items * wide if len(items) == 1 else items for items in (first, second))
    if len(first) != len(second):
        return None
    if node.op == "Div" and any(isinstance(item, int) and item <= 0 for item in second):
        return None
    made = [_ARITHMETIC[node.op](a, b) for a, b in zip(first, second, strict=True)]
    return vector(made) if one.rank or other.rank else scalar(made[0])


def _is_vector(value: Value) -> bool:
    shape = value.shape
    return shape is not None and len(shape) == 1 and shape[0] is not None


def _both(one: Any, other: Any) -> tuple[Any, Any]:
    return tf.cast(one, tf.int64), tf.cast(other, tf.int64)
