"""Grids of places, as GridSample reads them."""

from __future__ import annotations

from typing import Any

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.table import op


@op("AffineGrid")
def affine_grid(node: Node, theta: Any, size: Any) -> Any:
    """Places from -1 to 1 along each axis of space, moved by an affine map; x comes first."""
    space = theta.shape[1] or (size.shape[0] or 2) - 2
    if not space:
        raise node.unsupported("over how many axes is open")
    aligned = bool(node.get("align_corners", 0))
    sizes = tf.unstack(tf.cast(size, tf.int32), space + 2)[2:]
    axes = [_steps(count, aligned, theta.dtype) for count in sizes]
    places = tf.stack(tf.meshgrid(*axes, indexing="ij")[::-1], -1)
    moved = tf.einsum("nij,pj->npi", theta[:, :, :-1], tf.reshape(places, [-1, space]))
    moved += theta[:, None, :, -1]
    return tf.reshape(moved, tf.stack([tf.shape(theta)[0], *sizes, space]))


def _steps(count: Any, aligned: bool, dtype: Any) -> Any:
    """From -1 to 1: at the corners, or at the middles of ``count`` equal parts."""
    real = tf.cast(count, dtype)
    numbers = tf.cast(tf.range(count), dtype)
    if aligned:
        return 2 * numbers / tf.maximum(real - 1, 1) - 1
    return (2 * numbers + 1) / real - 1
