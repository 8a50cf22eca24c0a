"""Operators that pick or mark elements: the largest, the different, those that are not zero."""

from __future__ import annotations

from typing import Any

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.table import op


@op("TopK")
def top_k(node: Node, x: Any, k: Any = None) -> Any:
    """The k largest (or smallest) along an axis, and their indices; of equal ones the first."""
    count = node.get("k") if k is None else tf.cast(tf.reshape(k, []), tf.int32)
    axis = node.get("axis", -1) % x.shape.rank
    order = [*(at for at in range(x.shape.rank) if at != axis), axis]
    back = [order.index(at) for at in range(x.shape.rank)]
    moved = tf.transpose(x, order)
    largest = bool(node.get("largest", 1))
    _, indices = tf.math.top_k(moved if largest else _mirrored(moved), count)
    values = tf.gather(moved, indices, batch_dims=x.shape.rank - 1)
    return tf.transpose(values, back), tf.cast(tf.transpose(indices, back), tf.int64)


def _mirrored(x: Any) -> Any:
    """The order turned round; bits inverted for integers, of which not all have a negative."""
    return -x if x.dtype.is_floating else tf.bitwise.invert(x)


@op("NonZero")
def non_zero(_: Node, x: Any) -> Any:
    """Indices of what is not zero, one column each."""
    return tf.transpose(tf.where(tf.not_equal(x, tf.zeros([], x.dtype))))


@op("OneHot")
def one_hot(node: Node, indices: Any, depth: Any, values: Any) -> Any:
    """A new axis of ``depth`` with one marked element; negative indices count from its end."""
    rank = indices.shape.rank
    axis = node.get("axis", -1)
    size = tf.cast(tf.reshape(depth, []), tf.int64)
    at = tf.cast(indices, tf.int64)
    at = tf.where(at < 0, at + size, at)
    marked = tf.one_hot(
        at,
        tf.cast(size, tf.int32),
        on_value=True,
        off_value=False,
        axis=axis if axis >= 0 else axis + rank + 1,
        dtype=tf.bool,
    )
    return tf.where(marked, values[1], values[0])


@op("Unique")
def unique(node: Node, x: Any) -> Any:
    """Different slices: each once, where each is first, which each is, how often each is."""
    axis = node.get("axis")
    if axis is None:
        x, axis = tf.reshape(x, [-1]), 0
    axis %= x.shape.rank
    found, inverse, counts = tf.raw_ops.UniqueWithCountsV2(x=x, axis=[axis], out_idx=tf.int64)
    many = tf.shape(counts, tf.int64)[0]
    places = tf.range(tf.shape(inverse, tf.int64)[0])
    first = tf.math.unsorted_segment_min(places, inverse, many)
    if node.get("sorted", 1):
        order = _lexicographic(found, axis)
        inverse = tf.gather(tf.argsort(order), inverse)
        found = tf.gather(found, order, axis=axis)
        first, counts = tf.gather(first, order), tf.gather(counts, order)
    return found, first, tf.cast(inverse, tf.int64), counts


def _lexicographic(x: Any, axis: int) -> Any:
    """The order that sorts slices along ``axis``, by their first element, then the second …"""
    order = [axis, *(at for at in range(x.shape.rank) if at != axis)]
    moved = tf.transpose(x, order)
    rows = tf.reshape(moved, [tf.shape(moved)[0], tf.reduce_prod(tf.shape(moved)[1:])])

    def by_column(column: Any, so_far: Any) -> Any:
        keys = tf.gather(rows[:, column], so_far)
        return column - 1, tf.gather(so_far, tf.argsort(keys, stable=True))

    start = (tf.shape(rows)[1] - 1, tf.range(tf.shape(rows)[0]))
    return tf.while_loop(lambda column, _: column >= 0, by_column, start)[1]
