"""Reading pictures (or volumes) at places between their elements: GridSample."""

from __future__ import annotations

import itertools
from typing import Any

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.table import op
from engine.formats.savedmodel.values import Value

_CUBIC = -0.75
"""Keys' coefficient that ONNX fixes for GridSample."""


@op("GridSample", layout="own")
def grid_sample(node: Node, x: Value, grid: Value) -> Value:
    """For each place of the grid (x first, in -1 … 1) what lies there in the input."""
    mode = {"bilinear": "linear", "bicubic": "cubic"}.get(name := node.get("mode", "linear"), name)
    given = x.last()
    kind = given.dtype
    exact = tf.float64 if kind == tf.float64 else tf.float32
    given = tf.cast(given, exact)
    shape = tf.shape(given)
    space = given.shape.rank - 2
    corners = bool(node.get("align_corners", 0))
    places = tf.cast(grid.plain(), exact)
    axes = []
    for axis in range(space):  # the grid names the last axis first
        size = tf.cast(shape[1 + axis], exact)
        at = places[..., space - 1 - axis]
        axes.append((at + 1) / 2 * (size - 1) if corners else ((at + 1) * size - 1) / 2)
    taps = [_taps(at, mode) for at in axes]
    padding = node.get("padding_mode", "zeros")
    made = None
    for chosen in itertools.product(*taps):
        index, weight = _read_at([spot for spot, _ in chosen], shape, padding, corners)
        for _, share in chosen:
            weight = weight * share
        part = tf.gather_nd(given, index, batch_dims=1) * weight[..., tf.newaxis]
        made = part if made is None else made + part
    return Value(last=tf.cast(made, kind))


def _taps(at: Any, mode: str) -> list[tuple[Any, Any]]:
    """Along one axis: the elements that count, and how much."""
    if mode == "nearest":
        return [(tf.round(at), tf.ones_like(at))]  # halves to the even one, as ONNX has it
    low = tf.floor(at)
    apart = at - low
    if mode == "linear":
        return [(low, 1 - apart), (low + 1, apart)]
    found = []
    for step in (-1, 0, 1, 2):
        distance = tf.abs(apart - step)
        a = _CUBIC
        if step in (0, 1):
            share = ((a + 2) * distance - (a + 3)) * distance**2 + 1
        else:
            share = ((distance - 5) * distance + 8) * distance * a - 4 * a
        found.append((low + step, share))
    return found


def _read_at(spots: list[Any], shape: Any, padding: str, corners: bool) -> tuple[Any, Any]:
    """Indices inside the input, and 0 as weight where zeros lie around it."""
    weight, inside = tf.ones_like(spots[0]), []
    for axis, spot in enumerate(spots):
        size = tf.cast(shape[1 + axis], spot.dtype)
        if padding == "zeros":
            weight *= tf.cast((spot >= 0) & (spot <= size - 1), spot.dtype)
        if padding == "reflection":
            spot = _reflected(spot, size, corners)
        inside.append(tf.cast(tf.clip_by_value(spot, 0, size - 1), tf.int32))
    return tf.stack(inside, -1), weight


def _reflected(spot: Any, size: Any, corners: bool) -> Any:
    """Back and forth between the centres of the outermost elements, or between their edges."""
    low, length = (0.0, size - 1) if corners else (-0.5, size)
    length = tf.maximum(length, 1)
    away = tf.abs(spot - low)
    rest = tf.math.floormod(away, length)
    turns = tf.math.floordiv(away, length)
    return tf.where(tf.equal(tf.math.floormod(turns, 2), 0), rest + low, length - rest + low)
