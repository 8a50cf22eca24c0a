"""Time series in a batch: reversed, or written into a cache, each at its own place."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.table import op


@op("ReverseSequence")
def reverse_sequence(node: Node, x: Any, lengths: Any) -> Any:
    """Each sequence reversed within its own length."""
    return tf.reverse_sequence(x, lengths, node.get("time_axis", 0), node.get("batch_axis", 1))


@op("TensorScatter")
def tensor_scatter(node: Node, cache: Any, update: Any, places: Any = None) -> Any:
    """The cache with the update written from each row's place on, round its end if circular."""
    axis = node.get("axis", -2) % cache.shape.rank
    size, length = (tf.shape(item, tf.int64)[axis] for item in (cache, update))
    starts = (
        tf.zeros(tf.shape(cache)[:1], tf.int64) if places is None else tf.cast(places, tf.int64)
    )
    offsets = tf.range(size)[None, :] - starts[:, None]
    if node.get("mode", "linear") == "circular":
        offsets = tf.math.floormod(offsets, size)
    written = (offsets >= 0) & (offsets < length)
    picked = tf.gather(update, tf.clip_by_value(offsets, 0, length - 1), axis=axis, batch_dims=1)
    # tf.gather puts the picked axis where the axis was, with the batch in front.
    wide = [1] * cache.shape.rank
    shape = tf.concat(
        [tf.shape(written)[:1], wide[1:axis], tf.shape(written)[1:], wide[axis + 1 :]], 0
    )
    return tf.where(tf.reshape(written, shape), picked, cache)


@op("OptionalHasElement")
def optional_has_element(_: Node, x: Any = None) -> Any:
    """Whether it is there, which is known: an optional value is no input of a SavedModel."""
    return np.asarray(x is not None)


@op("OptionalGetElement")
def optional_get_element(_: Node, x: Any) -> Any:
    """The tensor itself."""
    return x
