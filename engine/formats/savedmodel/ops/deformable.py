"""Convolution that samples wherever its offsets point: bilinear samples, then one product."""

from __future__ import annotations

from typing import Any

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.table import op


@op("DeformConv")
def deform_conv(
    node: Node, x: Any, weight: Any, offset: Any, bias: Any = None, mask: Any = None
) -> Any:
    """Over two axes of space; what lies outside the picture counts as zero."""
    if x.shape.rank != 4:
        raise node.unsupported("it works over other than two axes of space")
    groups, fields = node.get("group", 1), node.get("offset_group", 1)
    if None in weight.shape.as_list():
        raise node.unsupported("the shape of its weight is open")
    rows, columns, high, wide = _places(node, weight, offset, fields)
    batch, channels, outs = tf.shape(x)[0], weight.shape[1] * groups, weight.shape[0]
    samples = _bilinear(x, rows, columns, fields, channels // fields)
    if mask is not None:
        samples *= tf.reshape(mask, [batch, fields, -1, 1])
    taps = weight.shape[2] * weight.shape[3]
    # (batch, field, taps * places, channels of it) → (batch, group, its channels * taps, places)
    split = tf.reshape(samples, [batch, fields, taps, high * wide, channels // fields])
    split = tf.transpose(split, [0, 1, 4, 2, 3])
    split = tf.reshape(split, [batch, groups, channels // groups * taps, high * wide])
    filters = tf.reshape(weight, [groups, outs // groups, channels // groups * taps])
    made = tf.reshape(tf.matmul(filters, split), [batch, outs, high, wide])
    return made if bias is None else made + tf.reshape(bias, [1, -1, 1, 1])


def _places(node: Node, weight: Any, offset: Any, fields: int) -> tuple[Any, Any, Any, Any]:
    """Row and column of every sample, (batch, field, taps * places), and the output's size."""
    kernel = [weight.shape[2], weight.shape[3]]
    strides, dilations = node.get("strides") or [1, 1], node.get("dilations") or [1, 1]
    pads = node.get("pads") or [0, 0, 0, 0]
    shape = tf.shape(offset)
    high, wide = shape[2], shape[3]
    moves = tf.reshape(offset, [shape[0], fields, kernel[0], kernel[1], 2, high, wide])

    def along(axis: int, size: Any) -> Any:
        starts = tf.range(size) * strides[axis] - pads[axis]
        taps = tf.range(kernel[axis]) * dilations[axis]
        return tf.cast(taps[:, None] + starts[None, :], offset.dtype)

    rows = moves[:, :, :, :, 0] + along(0, high)[:, None, :, None]
    columns = moves[:, :, :, :, 1] + along(1, wide)[:, None, :]
    flat = [shape[0], fields, kernel[0] * kernel[1] * high * wide]
    return tf.reshape(rows, flat), tf.reshape(columns, flat), high, wide


def _bilinear(x: Any, rows: Any, columns: Any, fields: int, channels: int) -> Any:
    """(batch, field, samples, channels of the field): the four neighbours, weighted."""
    shape = tf.shape(x)
    high, wide = shape[2], shape[3]
    points = tf.reshape(x, [shape[0], fields, channels, high * wide])
    points = tf.transpose(points, [0, 1, 3, 2])
    top, left = tf.floor(rows), tf.floor(columns)
    total = None
    for row, row_weight in ((top, 1 - (rows - top)), (top + 1, rows - top)):
        for column, column_weight in ((left, 1 - (columns - left)), (left + 1, columns - left)):
            at_row, at_column = tf.cast(row, tf.int32), tf.cast(column, tf.int32)
            inside = (at_row >= 0) & (at_row < high) & (at_column >= 0) & (at_column < wide)
            place = tf.where(inside, at_row * wide + at_column, 0)
            weight = tf.where(inside, row_weight * column_weight, tf.zeros_like(row_weight))
            part = tf.gather(points, place, batch_dims=2) * weight[..., None]
            total = part if total is None else total + part
    return total
