"""Normalisation over the batch's statistics, an instance, a group, a layer, a length."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.table import op
from engine.formats.savedmodel.values import Value


@op("BatchNormalization", layout="own")
def batch_norm(
    node: Node, x: Value, scale: Value, bias: Value, mean: Value, variance: Value
) -> Any:
    """At inference one multiplication and one addition, their factors made at conversion."""
    if node.get("training_mode", 0):
        return _training(node, x, scale, bias, mean, variance)
    if node.opset < 14 and any(node.wants(index) for index in range(1, 5)):
        raise node.unsupported("it is in training mode")
    epsilon = node.get("epsilon", 1e-5)
    parts = (scale, bias, mean, variance)
    has_space = x.rank is not None and x.rank > 2
    given = x.last() if has_space else x.plain()
    if all(part.array is not None for part in parts):
        a, b, m, v = (np.asarray(part.array, np.float64) for part in parts)
        factor = a / np.sqrt(v + epsilon)
        shift = b - m * factor
        kind = scale.dtype
        made = given * scale.stored("factor", lambda _: factor.astype(kind))
        made = made + bias.stored("shift", lambda _: shift.astype(kind))
    else:
        a, b, m, v = (part.plain() for part in parts)
        made = (given - m) * (a * tf.math.rsqrt(v + epsilon)) + b
    made = tf.cast(made, given.dtype)
    return Value(last=made) if has_space else Value(plain=made)


def _training(
    node: Node, x: Value, scale: Value, bias: Value, mean: Value, variance: Value
) -> tuple[Any, ...]:
    """Normalised by the batch's own statistics; the running ones are moved towards them."""
    given, momentum = x.plain(), node.get("momentum", 0.9)
    axes = [axis for axis in range(given.shape.rank) if axis != 1]
    wide = [1, -1, *[1] * (given.shape.rank - 2)]
    here, spread = tf.nn.moments(given, axes)
    factor = scale.plain() * tf.math.rsqrt(spread + node.get("epsilon", 1e-5))
    centred = given - tf.reshape(here, wide)
    made = centred * tf.reshape(factor, wide) + tf.reshape(bias.plain(), wide)
    moved = (
        momentum * old.plain() + (1 - momentum) * new
        for old, new in ((mean, here), (variance, spread))
    )
    return (made, *moved)


@op("InstanceNormalization", layout="own")
def instance_norm(node: Node, x: Value, scale: Value, bias: Value) -> Value:
    """Each channel of each sample over its space."""
    given = x.last()
    axes = list(range(1, given.shape.rank - 1))
    mean, variance = tf.nn.moments(given, axes, keepdims=True)
    factor = tf.math.rsqrt(variance + node.get("epsilon", 1e-5)) * scale.plain()
    return Value(last=(given - mean) * factor + bias.plain())


@op("LayerNormalization")
def layer_norm(node: Node, x: Any, scale: Any, bias: Any = None) -> Any:
    """Over all axes from ``axis`` on, computed in ``stash_type``."""
    rank = x.shape.rank
    axes = list(range(node.get("axis", -1) % rank, rank))
    inner = x if node.get("stash_type", 1) != 1 or x.dtype == tf.float64 else _single(x)
    mean = tf.reduce_mean(inner, axes, keepdims=True)
    centred = inner - mean
    variance = tf.reduce_mean(tf.square(centred), axes, keepdims=True)
    inverse = tf.math.rsqrt(variance + node.get("epsilon", 1e-5))
    made = tf.cast(centred * inverse, x.dtype) * scale
    made = made if bias is None else made + bias
    return made, mean, inverse


@op("RMSNormalization", "SimplifiedLayerNormalization")
def rms_norm(node: Node, x: Any, scale: Any) -> Any:
    """By the root of the mean square over all axes from ``axis`` on."""
    rank = x.shape.rank
    axes = list(range(node.get("axis", -1) % rank, rank))
    inner = x if node.get("stash_type", 1) != 1 or x.dtype == tf.float64 else _single(x)
    square = tf.reduce_mean(tf.square(inner), axes, keepdims=True)
    made = inner * tf.math.rsqrt(square + node.get("epsilon", 1e-5))
    return tf.cast(made, x.dtype) * scale


@op("GroupNormalization")
def group_norm(node: Node, x: Any, scale: Any, bias: Any) -> Any:
    """Channels in ``num_groups`` groups; up to opset 20 scale and bias are one for each group."""
    groups, rank = node.get("num_groups"), x.shape.rank
    channels = x.shape[1]
    inner = x if node.get("stash_type", 1) != 1 or x.dtype == tf.float64 else _single(x)
    grouped = tf.reshape(inner, tf.concat([tf.shape(x)[:1], [groups, -1]], 0))
    mean, variance = tf.nn.moments(grouped, [2], keepdims=True)
    made = (grouped - mean) * tf.math.rsqrt(variance + node.get("epsilon", 1e-5))
    if node.opset < 21:
        scale, bias = (tf.repeat(item, channels // groups) for item in (scale, bias))
    made = tf.cast(tf.ensure_shape(tf.reshape(made, tf.shape(x)), x.shape), x.dtype)
    wide = [1, -1, *[1] * (rank - 2)]
    return made * tf.reshape(scale, wide) + tf.reshape(bias, wide)


@op("LpNormalization")
def lp_norm(node: Node, x: Any) -> Any:
    """By the length along one axis; where that is zero, zero."""
    axis, power = node.get("axis", -1), node.get("p", 2)
    if power == 1:
        length = tf.reduce_sum(tf.abs(x), axis, keepdims=True)
    else:
        length = tf.sqrt(tf.reduce_sum(tf.square(x), axis, keepdims=True))
    return tf.math.divide_no_nan(x, length)


@op("MeanVarianceNormalization")
def mean_variance(node: Node, x: Any) -> Any:
    """To mean 0 and deviation 1 over ``axes``."""
    axes = node.get("axes", [0, 2, 3])
    mean, variance = tf.nn.moments(x, axes, keepdims=True)
    return (x - mean) / (tf.sqrt(variance) + 1e-9)


@op("LRN", layout="own")
def local_response(node: Node, x: Value) -> Value:
    """By the squares of the neighbouring channels."""
    size, given = node.get("size"), x.last()
    before = (size - 1) // 2
    pads = [[0, 0]] * (given.shape.rank - 1) + [[before, size - 1 - before]]
    squares = tf.pad(tf.square(given), pads)
    channels = tf.shape(given)[-1]
    near = tf.add_n([squares[..., at : at + channels] for at in range(size)])
    scale = node.get("alpha", 1e-4) / size
    return Value(last=given / (node.get("bias", 1.0) + scale * near) ** node.get("beta", 0.75))


def _single(x: Any) -> Any:
    return x if x.dtype == tf.float32 else tf.cast(x, tf.float32)
