"""Parts of tensors and tensors with a margin: Slice, Pad, Compress, ReverseSequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.ops.shapes import last_axis
from engine.formats.savedmodel.table import op
from engine.formats.savedmodel.values import Size, Value, is_known, packed

_FAR = 1 << 31
"""Beyond any axis: exporters write the largest integer for "to the end"."""


@op("Slice", layout="own")
def slice_old(node: Node, x: Value) -> Any:
    """Before opset 10 everything is an attribute."""
    starts, ends = node.get("starts"), node.get("ends")
    return _sliced(x, starts, ends, node.get("axes") or range(len(starts)), [1] * len(starts))


@op("Slice", since=10, layout="own")
def slice_new(
    node: Node,
    x: Value,
    starts: Value,
    ends: Value,
    axes: Value | None = None,
    steps: Value | None = None,
) -> Any:
    """Begin and end may be computed; so may axes and steps, where the rank is known."""
    begin, end = starts.elements(), ends.elements()
    if begin is None or end is None:
        raise node.unsupported("how many axes it slices is open")
    along = list(range(len(begin))) if axes is None else axes.elements()
    by = [1] * len(begin) if steps is None else steps.elements()
    if along is None or by is None or not all(isinstance(item, int) for item in (*along, *by)):
        return _sliced_anyhow(node, x, (begin, end, along or [], by or []))
    return _sliced(x, begin, end, along, by)


def _sliced(
    x: Value, starts: Sequence[Size], ends: Sequence[Size], axes: Any, steps: Sequence[int]
) -> Any:
    rank = x.rank or 0
    there = x.only_last
    cut = [slice(None)] * rank
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        size = (x.shape or ())[axis % rank]
        place = last_axis(axis, rank) if there else axis % rank
        cut[place] = slice(_near(start, step > 0), _near(end, step < 0, size), step)
    made = (x.last() if there else x.plain())[tuple(cut)]
    return Value(last=made) if there else made


def _near(at: Size, low: bool, size: int | None = None) -> Any:
    """None for a bound that lies outside on the side where slicing begins or ends anyway."""
    if not isinstance(at, int):
        return at
    limit = _FAR if size is None else size
    if low and at < -limit:
        return None if size is not None or at < -_FAR + 1 else at
    return None if not low and at >= _FAR else at


def _sliced_anyhow(node: Node, x: Value, given: tuple[list[Size], ...]) -> Any:
    """All four computed: begin, end and step of every axis are put together while running."""
    given_x = x.plain()
    rank = given_x.shape.rank
    if rank is None:
        raise node.unsupported("the rank of its input is open")
    sizes = tf.shape(given_x, out_type=tf.int64)
    begin, end, axes, steps = (packed(items) for items in given)
    axes = tf.where(axes < 0, axes + rank, axes)
    along = tf.gather(sizes, axes)
    begin, end = (tf.where(item < 0, item + along, item) for item in (begin, end))
    back = steps < 0
    begin = tf.where(back, tf.clip_by_value(begin, 0, along - 1), tf.clip_by_value(begin, 0, along))
    end = tf.where(back, tf.clip_by_value(end, -1, along), tf.clip_by_value(end, 0, along))
    # To TensorFlow -1 is the last element; further down is before the first.
    end = tf.where(back & (end < 0), -along - 1, end)
    places = axes[:, tf.newaxis]
    whole = tf.zeros([rank], tf.int64), sizes, tf.ones([rank], tf.int64)
    cut = (
        tf.tensor_scatter_nd_update(all_, places, some)
        for all_, some in zip(whole, (begin, end, steps), strict=True)
    )
    return tf.strided_slice(given_x, *cut)


@op("Pad", layout="own")
def pad(
    node: Node,
    x: Value,
    pads: Value | None = None,
    fill: Value | None = None,
    axes: Value | None = None,
) -> Any:
    """With a constant, the edge, a reflection or a repetition; a negative margin cuts."""
    given = node.get("pads", node.get("paddings")) if pads is None else pads.elements()
    if given is None or x.rank is None:
        raise node.unsupported("how many axes it pads is open")
    rank, half = x.rank, len(given) // 2
    along = list(range(half)) if axes is None else axes.elements() or []
    if not is_known(along):
        return _padded_anywhere(node, x, given, along, fill)
    there = x.only_last
    margins: list[tuple[Size, Size]] = [(0, 0)] * rank
    for index, axis in enumerate(along):
        place = last_axis(axis, rank) if there else axis % rank
        margins[place] = (given[index], given[half + index])
    made = x.last() if there else x.plain()
    mode = node.get("mode", "constant")
    if mode == "constant":
        value = node.get("value", 0.0) if fill is None else tf.reshape(fill.plain(), [])
        made = _padded(made, margins, tf.cast(value, made.dtype))
    else:
        for axis, (before, after) in enumerate(margins):
            if not (_is_zero(before) and _is_zero(after)):
                made = _continued(made, axis, before, after, mode)
    return Value(last=made) if there else made


def _padded(made: Any, margins: Sequence[tuple[Size, Size]], value: Any) -> Any:
    sizes = [size for margin in margins for size in margin]
    if all(isinstance(size, int) and size >= 0 for size in sizes):
        return tf.pad(made, margins, constant_values=value)
    cut = tuple(slice(_over(before), _under(after)) for before, after in margins)
    if all(isinstance(size, int) for size in sizes):
        rows: Any = [[max(before, 0), max(after, 0)] for before, after in margins]
        return tf.pad(made[cut], rows, constant_values=value)
    table = tf.reshape(packed(sizes), [-1, 2])
    begin = tf.maximum(-table[:, 0], 0)
    left = tf.shape(made, out_type=tf.int64) - begin - tf.maximum(-table[:, 1], 0)
    return tf.pad(tf.slice(made, begin, left), tf.maximum(table, 0), constant_values=value)


def _padded_anywhere(
    node: Node, x: Value, given: list[Size], axes: list[Size], fill: Value | None
) -> Any:
    """With a constant, along axes that are computed."""
    if node.get("mode", "constant") != "constant":
        raise node.unsupported("the axes it continues are computed while the model runs")
    rank = x.rank or 0
    along = packed(axes)[:, tf.newaxis]
    along = tf.where(along < 0, along + rank, along)
    rows = tf.reshape(packed(given), [2, -1])
    table = tf.scatter_nd(along, tf.transpose(rows), tf.constant([rank, 2], tf.int64))
    margins = [(row[0], row[1]) for row in tf.unstack(table, num=rank)]
    value = 0.0 if fill is None else tf.reshape(fill.plain(), [])
    return _padded(x.plain(), margins, tf.cast(value, x.plain().dtype))


def _over(before: Size) -> Any:
    return -before if isinstance(before, int) and before < 0 else None


def _under(after: Size) -> Any:
    return after if isinstance(after, int) and after < 0 else None


def _is_zero(size: Size) -> bool:
    return isinstance(size, int) and size == 0


def _continued(made: Any, axis: int, before: Size, after: Size, mode: str) -> Any:
    """One axis, by the places its elements come from."""
    size = made.shape[axis]
    if size is not None and isinstance(before, int) and isinstance(after, int):
        return tf.gather(made, _places(np, np.arange(-before, size + after), size, mode), axis=axis)
    size = tf.shape(made, out_type=tf.int64)[axis]
    at = tf.range(-tf.cast(before, tf.int64), size + tf.cast(after, tf.int64))
    return tf.gather(made, _places(tf, at, size, mode), axis=axis)


def _places(xp: Any, at: Any, size: Any, mode: str) -> Any:
    """Places outside brought inside; ``xp`` is numpy or TensorFlow."""
    if mode == "edge":
        return xp.minimum(xp.maximum(at, 0), size - 1)
    if mode == "wrap":
        return at % size
    period = xp.maximum(2 * (size - 1), 1)
    at = at % period
    return xp.where(at < size, at, period - at)


@op("Compress")
def compress(node: Node, x: Any, condition: Any) -> Any:
    """The slices along ``axis`` (or the elements) for which the condition holds."""
    axis = node.get("axis")
    if axis is None:
        x, axis = tf.reshape(x, [-1]), 0
    return tf.gather(x, tf.reshape(tf.where(condition), [-1]), axis=axis)


@op("ReverseSequence")
def reverse_sequence(node: Node, x: Any, lengths: Any) -> Any:
    """The first ``lengths`` of each row turned round."""
    time, batch = node.get("time_axis", 0), node.get("batch_axis", 1)
    return tf.reverse_sequence(x, lengths, seq_axis=time, batch_axis=batch)
