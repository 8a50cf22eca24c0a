"""Convolutions over one, two or three axes of space, channels last, without transposes.

Weights are rearranged once, at conversion, into TensorFlow's order: space …, in, out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.ops.windows import Window
from engine.formats.savedmodel.table import op
from engine.formats.savedmodel.values import Value


@op("Conv", layout="own")
def conv(node: Node, x: Value, weight: Value, bias: Value | None = None) -> Value:
    """Grouped, strided, dilated, padded; depthwise where each group is one channel."""
    shape = weight.shape
    if shape is None or None in shape[1:] or x.rank is None:
        raise node.unsupported("the shape of its weight is open")
    window = Window.of(node, x, [int(size or 0) for size in shape[2:]])
    groups, channels = node.get("group", 1), int(shape[1] or 0)
    given = x.last()
    if groups > 1 and channels == 1 and len(shape) == 4 and _even(window):
        made = _depthwise(given, weight, window, groups)
    else:
        made = _convolved(given, weight, window, groups)
    return Value(last=made if bias is None else tf.nn.bias_add(made, bias.plain()))


def _even(window: Window) -> bool:
    """Whether TensorFlow's depthwise kernel can: equal strides, and not with dilation."""
    return len(set(window.strides)) == 1 and (
        max(window.strides) == 1 or max(window.dilations) == 1
    )


def _depthwise(given: Any, weight: Value, window: Window, groups: int) -> Any:
    def order(array: Any) -> Any:
        """(in * multiplier, 1, h, w) → (h, w, in, multiplier)."""
        each = array.reshape(groups, -1, *array.shape[2:])
        return each.transpose(2, 3, 0, 1)

    if weight.array is not None:
        filters = weight.stored("depthwise", order)
    else:
        shape = [groups, -1, *window.kernel]
        filters = tf.transpose(tf.reshape(weight.plain(), shape), [2, 3, 0, 1])
    given, padding = window.padded(given)
    # Explicit padding makes this kernel slow; padding first is a copy, and faster.
    if padding != "VALID":
        given, padding = tf.pad(given, padding), "VALID"
    strides = [1, *window.strides, 1]
    return tf.nn.depthwise_conv2d(given, filters, strides, padding, dilations=window.dilations)


def _convolved(given: Any, weight: Value, window: Window, groups: int) -> Any:
    filters = _filters(weight, transposed=False)
    given, padding = window.padded(given)
    space = len(window.kernel)
    if space == 2 and groups > 1 and max(window.dilations) > 1:
        return _by_group(given, filters, window, padding, groups)
    if space == 2:
        return tf.nn.conv2d(given, filters, window.strides, padding, dilations=window.dilations)
    if padding != "VALID":
        given = tf.pad(given, padding)
    if groups > 1 and space == 3:
        return _by_group(given, filters, window, "VALID", groups)
    return _strided(given, filters, window)


def _by_group(given: Any, filters: Any, window: Window, padding: Any, groups: int) -> Any:
    """Where TensorFlow has no grouped kernel: each group on its own."""
    if padding != "VALID":
        given = tf.pad(given, padding)
    parts = zip(tf.split(given, groups, -1), tf.split(filters, groups, -1), strict=True)
    return tf.concat([_strided(part, kernel, window) for part, kernel in parts], -1)


def _strided(given: Any, filters: Any, window: Window) -> Any:
    """TensorFlow strides or dilates, not both at once: then all is computed, and some kept."""
    if max(window.strides) > 1 and max(window.dilations) > 1:
        made = tf.nn.convolution(given, filters, padding="VALID", dilations=window.dilations)
        return made[window.every()]
    return tf.nn.convolution(given, filters, window.strides, "VALID", dilations=window.dilations)


def _filters(weight: Value, *, transposed: bool) -> Any:
    """(out, in, space …) → (space …, in, out); a transposed convolution has in and out swapped."""
    rank = weight.rank or 0
    # Both kinds want the first two axes reversed at the end: (out, in) → (in, out), and for a
    # transposed one (in, out) → (out, in), as TensorFlow's transposed kernels name them.
    order = [*range(2, rank), 1, 0]
    if weight.array is not None:
        return weight.stored("filters", lambda array: array.transpose(order))
    return tf.transpose(weight.plain(), order)


@op("ConvTranspose", layout="own")
def conv_transpose(node: Node, x: Value, weight: Value, bias: Value | None = None) -> Value:
    """All of it computed without padding, then cut (or extended) to the size that is asked."""
    shape = weight.shape
    if shape is None or None in shape or x.rank is None:
        raise node.unsupported("the shape of its weight is open")
    kernel = [int(size or 0) for size in shape[2:]]
    space, groups = len(kernel), node.get("group", 1)
    strides = node.get("strides") or [1] * space
    dilations = node.get("dilations") or [1] * space
    given = x.last()
    filters = _filters(weight, transposed=True)
    parts = zip(tf.split(given, groups, -1), tf.split(filters, groups, space + 1), strict=True)
    made = [_transposed(part, kernels, strides, dilations) for part, kernels in parts]
    whole = made[0] if groups == 1 else tf.concat(made, -1)
    whole = _cut(node, x, whole, kernel, strides, dilations)
    return Value(last=whole if bias is None else tf.nn.bias_add(whole, bias.plain()))


def _transposed(given: Any, filters: Any, strides: list[int], dilations: list[int]) -> Any:
    """The full result: (size - 1) * stride + (kernel - 1) * dilation + 1 along each axis."""
    space = len(strides)
    if max(dilations) > 1:
        filters = _spread(filters, dilations)
    kernel = filters.shape.as_list()[:space]
    shape = tf.shape(given)
    sizes = [
        (given.shape[1 + axis] if given.shape[1 + axis] is not None else shape[1 + axis]) - 1
        for axis in range(space)
    ]
    full = [
        size * stride + width for size, stride, width in zip(sizes, strides, kernel, strict=True)
    ]
    batch = given.shape[0] if given.shape[0] is not None else shape[0]
    return tf.nn.conv_transpose(
        given, filters, tf.stack([batch, *full, filters.shape[-2]]), strides, "VALID"
    )


def _spread(filters: Any, dilations: list[int]) -> Any:
    """The kernel with zeros between its taps: transposed kernels know no dilation."""
    for axis, dilation in enumerate(dilations):
        if dilation == 1:
            continue
        size = filters.shape[axis]
        apart = tf.expand_dims(filters, axis + 1)
        zeros = [[0, 0]] * apart.shape.rank
        zeros[axis + 1] = [0, dilation - 1]
        shape = filters.shape.as_list()
        shape[axis] = size * dilation
        wide = tf.reshape(tf.pad(apart, zeros), shape)
        begin = [0] * len(shape)
        shape[axis] = (size - 1) * dilation + 1
        filters = tf.slice(wide, begin, shape)
    return filters


def _cut(
    node: Node, x: Value, whole: Any, kernel: list[int], strides: list[int], dilations: list[int]
) -> Any:
    """Take off the pads; put zeros on where ``output_padding`` or ``output_shape`` ask for more."""
    space = len(kernel)
    extra = node.get("output_padding") or [0] * space
    pads = node.get("pads") or [0] * 2 * space
    begins, ends = list(pads[:space]), list(pads[space:])
    wanted = node.get("output_shape")
    auto = node.get("auto_pad", "NOTSET")
    for axis in range(space):
        if not wanted and auto not in ("SAME_UPPER", "SAME_LOWER"):
            ends[axis] -= extra[axis]
            continue
        size = (x.shape or ())[2 + axis]
        if size is None:
            raise node.unsupported("it is told its output's size while its input's is open")
        full = (size - 1) * strides[axis] + extra[axis] + (kernel[axis] - 1) * dilations[axis] + 1
        aim = wanted[-space:][axis] if wanted else size * strides[axis]
        total = full - aim
        small, large = total // 2, total - total // 2
        before = max(large if auto == "SAME_LOWER" else small, 0)
        begins[axis], ends[axis] = before, total - before - extra[axis]
    grown = [[0, 0], *[[0, max(-end, 0)] for end in ends], [0, 0]]
    if np.any(grown):
        whole = tf.pad(whole, grown)
    cut = tuple(
        slice(begin, -end if end > 0 else None) for begin, end in zip(begins, ends, strict=True)
    )
    return whole[(slice(None), *cut, slice(None))]
