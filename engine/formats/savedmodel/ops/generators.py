"""Tensors made from sizes: ranges, identities, triangles, and random numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.table import op


def dtype_of(number: int) -> Any:
    """TensorFlow's type for the number ONNX gives a type."""
    from onnx import helper

    return tf.as_dtype(helper.tensor_dtype_to_np_dtype(number))


@op("Range")
def range_(_: Node, start: Any, limit: Any, delta: Any) -> Any:
    """From ``start`` in steps of ``delta``, below ``limit``."""
    start, limit, delta = (tf.reshape(item, []) for item in (start, limit, delta))
    if start.dtype in (tf.int32, tf.int64, tf.float32, tf.float64):
        return tf.range(start, limit, delta)
    wide = tf.float32 if start.dtype.is_floating else tf.int32
    made = tf.range(*(tf.cast(item, wide) for item in (start, limit, delta)))
    return tf.cast(made, start.dtype)


@op("EyeLike")
def eye_like(node: Node, x: Any) -> Any:
    """Ones on a diagonal, as large as the input."""
    rows, columns = _places(x)
    target = dtype_of(node.get("dtype")) if node.get("dtype") else x.dtype
    return tf.cast(columns - rows == node.get("k", 0), target)


@op("Trilu")
def trilu(node: Node, x: Any, k: Any = None) -> Any:
    """The part of each matrix on one side of a diagonal, zeros elsewhere."""
    rows, columns = _places(x)
    diagonal = tf.constant(0, tf.int64) if k is None else tf.cast(tf.reshape(k, []), tf.int64)
    upper = bool(node.get("upper", 1))
    kept = columns - rows >= diagonal if upper else columns - rows <= diagonal
    return tf.where(kept, x, tf.zeros([], x.dtype))


def _places(x: Any) -> tuple[Any, Any]:
    """Row and column of each element of the last two axes."""
    sizes = tf.shape(x, tf.int64)
    return tf.range(sizes[-2])[:, None], tf.range(sizes[-1])[None, :]


@op("RandomNormal", "RandomUniform", folds=False)
def random(node: Node) -> Any:
    """New numbers at every call, of a shape that the model gives."""
    return _drawn(node, node.get("shape"), dtype_of(node.get("dtype", 1)))


@op("RandomNormalLike", "RandomUniformLike", folds=False)
def random_like(node: Node, x: Any) -> Any:
    """New numbers at every call, as many as the input has."""
    return _drawn(node, tf.shape(x), dtype_of(node.get("dtype")) if node.get("dtype") else x.dtype)


def _drawn(node: Node, shape: Any, dtype: Any) -> Any:
    wide = tf.float32 if dtype == tf.bfloat16 else dtype
    seed = _seed(node)
    if "Normal" in node.op:
        mean, scale = node.get("mean", 0.0), node.get("scale", 1.0)
        return tf.cast(tf.random.normal(shape, mean, scale, wide, seed), dtype)
    low, high = node.get("low", 0.0), node.get("high", 1.0)
    return tf.cast(tf.random.uniform(shape, low, high, wide, seed), dtype)


def _seed(node: Node) -> int | None:
    """ONNX's seed is a float; its bits are as good a seed as any."""
    given = node.get("seed")
    return None if given is None else int(np.float32(given).view(np.int32))


@op("Bernoulli", folds=False)
def bernoulli(node: Node, x: Any) -> Any:
    """One with the probability that the element gives, else zero."""
    target = dtype_of(node.get("dtype")) if node.get("dtype") else x.dtype
    drawn = tf.random.uniform(tf.shape(x), dtype=tf.float32, seed=_seed(node))
    return tf.cast(drawn < tf.cast(x, tf.float32), target)


@op("Multinomial", folds=False)
def multinomial(node: Node, x: Any) -> Any:
    """Classes drawn by their unnormalised log probabilities."""
    count = node.get("sample_size", 1)
    draw: Callable[..., Any] = tf.random.categorical
    return tf.cast(draw(x, count, seed=_seed(node)), dtype_of(node.get("dtype", 6)))
