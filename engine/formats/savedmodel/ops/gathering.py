"""Reading from and writing to places given by indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.table import op
from engine.formats.savedmodel.values import Value

_REDUCED = {
    "none": "tensor_scatter_nd_update",
    "add": "tensor_scatter_nd_add",
    "max": "tensor_scatter_nd_max",
    "min": "tensor_scatter_nd_min",
}


@op("Gather", layout="own")
def gather(node: Node, x: Value, indices: Value) -> Any:
    """Along one axis; a negative index counts from the end."""
    axis = node.get("axis", 0)
    given = x.plain()
    if indices.array is None:
        places = _counted(indices.plain(), x.dim(axis))
    elif (indices.array >= 0).all():
        places = indices.plain()
    else:
        size = x.dim(axis)
        places = np.where(indices.array < 0, indices.array + size, indices.array)
    if indices.array is not None and indices.array.ndim == 0 and isinstance(places, np.ndarray):
        places = int(places)
    return tf.gather(given, places, axis=axis)


def _counted(indices: Any, size: Any) -> Any:
    """Negative indices made positive."""
    indices = tf.cast(indices, tf.int64) if indices.dtype.size < 4 else indices
    return tf.where(indices < 0, indices + tf.cast(size, indices.dtype), indices)


@op("GatherElements")
def gather_elements(node: Node, x: Any, indices: Any) -> Any:
    """For each place of ``indices`` the element in the same row of the other axes."""
    made = tf.gather_nd(x, _everywhere(x, indices, node.get("axis", 0)))
    made.set_shape(indices.shape)
    return made


def _everywhere(x: Any, indices: Any, axis: int) -> Any:
    """Full indices: the given ones along ``axis``, each place's own along the others."""
    rank = x.shape.rank
    shape = tf.shape(indices, out_type=tf.int64)
    along = tf.cast(_counted(indices, tf.shape(x)[axis]), tf.int64)
    grids = []
    for place in range(rank):
        wide = [1] * rank
        wide[place] = -1
        grids.append(tf.broadcast_to(tf.reshape(tf.range(shape[place]), wide), shape))
    grids[axis] = along
    return tf.stack(grids, -1)


@op("GatherND")
def gather_nd(node: Node, x: Any, indices: Any) -> Any:
    """Whole slices, or elements, at full or partial indices."""
    batch = node.get("batch_dims", 0)
    return tf.gather_nd(x, _all_counted(x, indices, batch), batch_dims=batch)


def _all_counted(x: Any, indices: Any, batch: int = 0) -> Any:
    depth = indices.shape[-1]
    return _counted(indices, tf.shape(x, out_type=indices.dtype)[batch : batch + depth])


@op("ScatterElements", "Scatter")
def scatter_elements(node: Node, x: Any, indices: Any, updates: Any) -> Any:
    """Written into the same places that GatherElements reads."""
    places = _everywhere(x, indices, node.get("axis", 0))
    return scattered(node, x, tf.reshape(places, [-1, x.shape.rank]), tf.reshape(updates, [-1]))


@op("ScatterND")
def scatter_nd(node: Node, x: Any, indices: Any, updates: Any) -> Any:
    """Whole slices, or elements, written at full or partial indices."""
    return scattered(node, x, _all_counted(x, indices), updates)


def scattered(node: Node, x: Any, places: Any, updates: Any) -> Any:
    """Written, or combined with what is there as ``reduction`` says."""
    how = node.get("reduction", "none")
    if how == "mul":
        return _multiplied(x, places, updates)
    return getattr(tf, _REDUCED[how])(x, places, updates)


def _multiplied(x: Any, places: Any, updates: Any) -> Any:
    """TensorFlow scatters no products: the factors of each place are multiplied first."""
    depth = places.shape[-1]
    shape = tf.shape(x, out_type=tf.int64)
    steps = tf.math.cumprod(shape[:depth], exclusive=True, reverse=True)
    flat = tf.reduce_sum(tf.cast(places, tf.int64) * steps, -1)
    rows = tf.reduce_prod(shape[:depth])
    inner = tf.reshape(updates, tf.concat([[-1], shape[depth:]], 0))
    factors = tf.math.unsorted_segment_prod(inner, tf.reshape(flat, [-1]), rows)
    return x * tf.reshape(factors, shape)


@op("TensorScatter", layout="own")
def tensor_scatter(node: Node, cache: Value, update: Value, begin: Value | None = None) -> Any:
    """A piece of sequence written into a cache, from ``begin`` of each sample on."""
    past, new = cache.plain(), update.plain()
    axis = node.get("axis", -2) % past.shape.rank
    size, count = tf.shape(past, out_type=tf.int64)[axis], tf.shape(new, out_type=tf.int64)[axis]
    batch = tf.shape(past, out_type=tf.int64)[0]
    first = tf.zeros([batch], tf.int64) if begin is None else tf.cast(begin.plain(), tf.int64)
    places = first[:, tf.newaxis] + tf.range(count)
    if node.get("mode", "linear") == "circular":
        places %= size
    order = [0, axis, *[i for i in range(1, past.shape.rank) if i != axis]]
    back = [order.index(i) for i in range(len(order))]
    rows = tf.broadcast_to(tf.range(batch)[:, tf.newaxis], tf.shape(places))
    made = tf.tensor_scatter_nd_update(
        tf.transpose(past, order), tf.stack([rows, places], -1), tf.transpose(new, order)
    )
    return tf.transpose(made, back)
