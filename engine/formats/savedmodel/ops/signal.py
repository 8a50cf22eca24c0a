"""Fourier transforms, and the matrix that sums their bins into mel bands.

Window functions need no handler: ONNX defines them by other operators.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.table import op


@op("DFT", since=17)
def dft_by_attribute(node: Node, x: Any, length: Any = None) -> Any:
    """The axis is an attribute."""
    return _transformed(node, x, length, node.get("axis", 1))


@op("DFT", since=20)
def dft(node: Node, x: Any, length: Any = None, axis: Any = None) -> Any:
    """The axis is an input."""
    known = node.value(2)
    if axis is None:
        return _transformed(node, x, length, -2)
    if known is not None and known.array is not None:
        return _transformed(node, x, length, int(known.array.reshape(())))
    return _transformed(node, x, length, tf.cast(tf.reshape(axis, []), tf.int32))


def _transformed(node: Node, x: Any, length: Any, axis: Any) -> Any:
    """Complex numbers are pairs on the last axis; one number there is a real one."""
    axis %= x.shape.rank
    inverse, onesided = bool(node.get("inverse", 0)), bool(node.get("onesided", 0))
    numbers = _complex(x)
    size = tf.shape(numbers)[axis]
    if length is not None:
        size = tf.cast(tf.reshape(length, []), tf.int32)
    elif inverse and onesided:
        size = 2 * (size - 1)
    numbers = _last(numbers, axis)
    kept = size // 2 + 1
    if inverse and onesided:
        real = tf.signal.irfft(_fitted(numbers, kept), [size])
        return tf.cast(_last(real, axis, back=True)[..., None], x.dtype)
    made = (tf.signal.ifft if inverse else tf.signal.fft)(_fitted(numbers, size))
    if onesided:
        made = made[..., :kept]
    return _pairs(_last(made, axis, back=True), x.dtype)


def _complex(x: Any) -> Any:
    parts = tf.cast(x, tf.float64)  # Long sums of terms that cancel.
    # The sum of one number, or of none where all are real: which it is may be open.
    return tf.complex(parts[..., 0], tf.reduce_sum(parts[..., 1:], -1))


def _pairs(x: Any, dtype: Any) -> Any:
    return tf.cast(tf.stack([tf.math.real(x), tf.math.imag(x)], -1), dtype)


def _last(x: Any, axis: Any, *, back: bool = False) -> Any:
    """The axis moved to the end, or from there back to its place."""
    rank = x.shape.rank
    if not isinstance(axis, int):
        order = tf.argsort(tf.cast(tf.range(rank) == axis, tf.int32), stable=True)
        return tf.transpose(x, tf.argsort(order) if back else order)
    order = [*(at for at in range(rank) if at != axis), axis]
    return tf.transpose(x, [order.index(at) for at in range(rank)] if back else order)


def _fitted(x: Any, size: Any) -> Any:
    """Cut or filled up with zeros at the end of the last axis."""
    missing = tf.maximum(size - tf.shape(x)[-1], 0)
    return tf.pad(x, [[0, 0]] * (x.shape.rank - 1) + [[0, missing]])[..., :size]


@op("STFT")
def stft(node: Node, x: Any, step: Any, window: Any = None, length: Any = None) -> Any:
    """Windowed frames of the signal, each transformed."""
    if length is not None:
        size = tf.cast(tf.reshape(length, []), tf.int32)
    else:
        size = tf.shape(x)[-2] if window is None else tf.shape(window)[0]
    numbers = _complex(x)
    frames = tf.signal.frame(numbers, size, tf.cast(tf.reshape(step, []), tf.int32))
    if window is not None:
        frames *= tf.cast(window, frames.dtype)
    made = tf.signal.fft(frames)
    return _pairs(made[..., : size // 2 + 1] if node.get("onesided", 1) else made, x.dtype)


@op("MelWeightMatrix")
def mel_weight_matrix(node: Node, bands: Any, length: Any, rate: Any, low: Any, high: Any) -> Any:
    """Triangles over whole bins, evenly spaced in mel; one column for each band."""
    from onnx import helper

    target = tf.as_dtype(helper.tensor_dtype_to_np_dtype(node.get("output_datatype", 1)))
    bands, length, rate, low, high = (
        tf.cast(tf.reshape(item, []), tf.float64) for item in (bands, length, rate, low, high)
    )
    lowest, highest = (2595 * tf.math.log1p(hertz / 700) / np.log(10) for hertz in (low, high))
    places = tf.range(bands + 2, dtype=tf.float64)
    mels = places * (highest - lowest) / (bands + 2) + lowest
    edges = tf.floor((length + 1) * (700 * tf.math.expm1(mels / 2595 * np.log(10))) / rate)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    bins = tf.range(tf.floor(length / 2) + 1, dtype=tf.float64)[:, None]
    rising = tf.math.divide_no_nan(bins - left, centre - left)
    rising = tf.where(left == centre, tf.ones_like(rising), rising)
    falling = tf.math.divide_no_nan(right - bins, right - centre)
    up = tf.where((bins >= left) & (bins <= centre), rising, tf.zeros_like(rising))
    down = (bins >= centre) & (bins < right)
    return tf.cast(tf.where(down, falling, up), target)
