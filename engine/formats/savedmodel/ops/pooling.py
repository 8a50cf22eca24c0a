"""Pools: maximum, average and p-norm over windows or over all of space, channels last."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.ops.windows import Window
from engine.formats.savedmodel.table import op
from engine.formats.savedmodel.values import Value


@op("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", layout="own")
def global_pool(node: Node, x: Value) -> Value:
    """One value for each channel."""
    given = x.last()
    axes = list(range(1, given.shape.rank - 1))
    if node.op == "GlobalLpPool":
        power = node.get("p", 2)
        total = tf.reduce_sum(tf.abs(given) ** power, axes, keepdims=True)
        return Value(last=total ** (1 / power))
    call = tf.reduce_mean if node.op == "GlobalAveragePool" else tf.reduce_max
    return Value(last=call(given, axes, keepdims=True))


@op("MaxPool", layout="own")
def max_pool(node: Node, x: Value) -> Any:
    """The greatest in each window, and on request where it was."""
    if node.wants(1):
        return _max_with_places(node, x)
    window = _window(node, x)
    given = x.last()
    small = given.dtype.is_integer
    if small:  # TensorFlow's windows know floating types only; 8 bits lose nothing in them
        given = tf.cast(given, tf.float32 if given.dtype.size < 4 else tf.float64)
    if window.is_padded:
        low = tf.constant(given.dtype.min, given.dtype)
        given = tf.pad(given, window.paddings(), constant_values=low)
    made = _pooled(given, window, "MAX")
    return Value(last=tf.cast(made, x.dtype) if small else made)


@op("AveragePool", layout="own")
def average_pool(node: Node, x: Value) -> Value:
    """The mean of each window; what is padded counts where ``count_include_pad`` says so."""
    window = _window(node, x)
    given = x.last()
    if not window.is_padded:
        return Value(last=_mean(given, window))
    mean = _mean(tf.pad(given, window.paddings()), window)
    counts = bool(node.get("count_include_pad", 0))
    if counts and not node.get("ceil_mode", 0):
        return Value(last=mean)
    ones = tf.ones_like(given[:1, ..., :1])
    if not counts:
        return Value(last=mean / _mean(tf.pad(ones, window.paddings()), window))
    # Padding that was asked for counts; what rounding up added beyond it does not.
    space = len(window.kernel)
    asked = np.reshape(node.get("pads") or [0] * 2 * space, [2, space]).T
    own = np.pad(asked, [[1, 1], [0, 0]])
    ones = tf.pad(tf.pad(ones, own, constant_values=1), np.asarray(window.paddings()) - own)
    return Value(last=mean / _mean(ones, window))


def _mean(given: Any, window: Window) -> Any:
    return _pooled(given, window, "AVG")


def _pooled(given: Any, window: Window, kind: str) -> Any:
    """TensorFlow does not stride with dilation, nor by more than the window's size."""
    wide = any(a > b for a, b in zip(window.strides, window.kernel, strict=True))
    if wide or (max(window.strides) > 1 and max(window.dilations) > 1):
        made = tf.nn.pool(given, window.kernel, kind, None, "VALID", dilations=window.dilations)
        return made[window.every()]
    return tf.nn.pool(
        given, window.kernel, kind, window.strides, "VALID", dilations=window.dilations
    )


@op("LpPool", layout="own")
def lp_pool(node: Node, x: Value) -> Value:
    """The p-norm of each window."""
    window = _window(node, x)
    power = node.get("p", 2)
    given = tf.abs(x.last()) ** power
    if window.is_padded:
        given = tf.pad(given, window.paddings())
    total = _mean(given, window) * float(np.prod(window.kernel))
    return Value(last=total ** (1 / power))


def _window(node: Node, x: Value) -> Window:
    """With ``ceil_mode``, padded at the end so that the last window fits."""
    window = Window.of(node, x, list(node.get("kernel_shape")))
    if not node.get("ceil_mode", 0) or node.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return window
    pads = []
    for axis, (before, after) in enumerate(window.pads):
        size, stride = x.dim(2 + axis), window.strides[axis]
        span = (window.kernel[axis] - 1) * window.dilations[axis] + 1
        if not isinstance(size, int):
            raise node.unsupported("it rounds up (ceil_mode) over an axis of open size")
        count = -(-(size + before + after - span) // stride) + 1
        if (count - 1) * stride >= size + before:  # a window must begin inside, or in its padding
            count -= 1
        pads.append((before, max((count - 1) * stride + span - size - before, after)))
    return Window(window.kernel, window.strides, window.dilations, tuple(pads))


def _max_with_places(node: Node, x: Value) -> tuple[Value, Value]:
    """Every tap of the window side by side, then the greatest and its place in the input."""
    window = _window(node, x)
    shape = x.shape
    if shape is None or None in shape[1:]:
        raise node.unsupported("places of maxima are asked over axes of open size")
    sizes = [int(size or 0) for size in shape[2:]]
    low = x.plain().dtype.min
    given = tf.pad(x.plain(), [[0, 0], [0, 0], *window.pads], constant_values=low)
    places = np.arange(np.prod(sizes)).reshape(sizes)
    if node.get("storage_order", 0):
        places = np.arange(np.prod(sizes)).reshape(sizes[::-1]).T
    places = np.pad(places, window.pads)
    taps, spots = [], []
    for tap in itertools.product(*[range(size) for size in window.kernel]):
        cut = _tap(tap, window, list(places.shape))
        taps.append(given[(slice(None), slice(None), *cut)])
        spots.append(places[cut])
    stacked = tf.stack(taps)
    best = tf.argmax(stacked, 0)
    where = tf.constant(np.stack(spots, -1).astype(np.int64))
    wide = tf.broadcast_to(where, tf.concat([tf.shape(best), [len(spots)]], 0))
    found = tf.gather(wide, best, batch_dims=best.shape.rank)
    channels = tf.range(shape[1], dtype=tf.int64) + tf.reshape(
        tf.range(tf.shape(best, out_type=tf.int64)[0]) * shape[1], [-1, 1]
    )
    offset = tf.reshape(channels * int(np.prod(sizes)), [-1, shape[1], *[1] * len(sizes)])
    return Value(plain=tf.reduce_max(stacked, 0)), Value(plain=found + offset)


def _tap(tap: tuple[int, ...], window: Window, sizes: list[int]) -> tuple[slice, ...]:
    cut = []
    for axis, at in enumerate(tap):
        span = (window.kernel[axis] - 1) * window.dilations[axis] + 1
        count = (sizes[axis] - span) // window.strides[axis] + 1
        begin = at * window.dilations[axis]
        end = begin + (count - 1) * window.strides[axis] + 1
        cut.append(slice(begin, end, window.strides[axis]))
    return tuple(cut)
