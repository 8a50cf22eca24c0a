"""What changes a tensor's shape and none of its values, and what makes tensors from shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.table import op
from engine.formats.savedmodel.values import Size, Value, is_known, packed


def reshaped(tensor: Any, sizes: list[Size]) -> Any:
    """To a list of sizes; with one of them open, TensorFlow is told to find it."""
    open_ones = [size for size in sizes if not isinstance(size, int)]
    if len(open_ones) == 1 and -1 not in sizes and 0 not in sizes:
        return tf.reshape(tensor, [size if isinstance(size, int) else -1 for size in sizes])
    return tf.reshape(tensor, packed(sizes))


@op("Reshape", layout="own")
def reshape(node: Node, x: Value, shape: Value | None = None) -> Any:
    """0 copies the input's size unless ``allowzero``; -1 is found."""
    sizes = list(node.get("shape", [])) if shape is None else shape.elements()
    if sizes is None:
        return tf.reshape(x.plain(), shape.plain() if shape else [])
    if not node.get("allowzero", 0):
        sizes = [x.dim(axis) if _is(size, 0) else size for axis, size in enumerate(sizes)]
    known = x.shape
    if -1 in [size for size in sizes if isinstance(size, int)] and known and None not in known:
        rest = [size for size in sizes if not _is(size, -1)]
        if is_known(rest) and math.prod(rest):
            found = math.prod(size or 0 for size in known) // math.prod(rest)
            sizes = [found if _is(size, -1) else size for size in sizes]
    return reshaped(x.plain(), sizes)


def _is(size: Size, number: int) -> bool:
    return isinstance(size, int) and size == number


@op("Flatten", layout="own")
def flatten(node: Node, x: Value) -> Any:
    """To a matrix, split at ``axis``."""
    if x.rank is None:
        raise node.unsupported("the rank of its input is open")
    axis = node.get("axis", 1)
    axis = axis + x.rank if axis < 0 else axis
    rows, columns = _product(x, range(axis)), _product(x, range(axis, x.rank))
    if rows is None and columns is None:
        rest = tf.reduce_prod(tf.shape(x.plain(), out_type=tf.int64)[axis:])
        return tf.reshape(x.plain(), tf.stack([tf.constant(-1, tf.int64), rest]))
    return tf.reshape(x.plain(), [-1 if size is None else size for size in (rows, columns)])


def _product(x: Value, axes: range) -> int | None:
    sizes = [(x.shape or ())[axis] for axis in axes]
    return None if None in sizes else math.prod(size or 0 for size in sizes)


@op("Transpose", layout="own")
def transpose(node: Node, x: Value) -> Any:
    """To and from channels-last it is a change of view: nothing is moved."""
    rank = x.rank
    order = node.get("perm") or (list(range(rank))[::-1] if rank is not None else None)
    if order is None:
        return tf.transpose(x.plain())
    space = list(range(2, len(order)))
    if len(order) > 2 and order == [0, *space, 1] and x.array is None:
        return Value(plain=x.last())
    if len(order) > 2 and order == [0, len(order) - 1, *range(1, len(order) - 1)]:
        return Value(last=x.plain())
    return tf.transpose(x.plain(), order)


@op("Squeeze", layout="own")
def squeeze(node: Node, x: Value, *_: Value | None) -> Any:
    """Without the axes named, or without all of size 1."""
    axes = node.ints(1, "axes")
    known = x.shape
    if axes is None:
        return tf.squeeze(x.plain())
    if known is None:
        return tf.squeeze(x.plain(), axes)
    gone = {axis % len(known) for axis in axes}
    return reshaped(x.plain(), [x.dim(axis) for axis in range(len(known)) if axis not in gone])


@op("Unsqueeze", layout="own")
def unsqueeze(node: Node, x: Value, *_: Value | None) -> Any:
    """With axes of size 1 at the places named."""
    axes = node.ints(1, "axes") or []
    made = x.plain()
    total = (x.rank or 0) + len(axes)
    for axis in sorted(axis % total for axis in axes):
        made = tf.expand_dims(made, axis)
    return made


@op("Shape")
def shape_of(node: Node, x: Any) -> Any:
    """For a tensor of open rank; all others are read off (``dims``)."""
    return tf.shape(x, out_type=tf.int64)[slice(node.get("start", 0), node.get("end"))]


@op("Size")
def size_of(node: Node, x: Any) -> Any:
    return tf.size(x, out_type=tf.int64)


@op("Expand", layout="own")
def expand(node: Node, x: Value, shape: Value) -> Any:
    """Broadcast both ways: where the shape says 1, the input's size stays."""
    wanted, rank = shape.elements(), x.rank
    if wanted is None or rank is None:
        target = tf.broadcast_dynamic_shape(
            tf.shape(x.plain(), out_type=tf.int64), tf.cast(shape.plain(), tf.int64)
        )
        return tf.broadcast_to(x.plain(), target)
    own = [x.dim(axis) for axis in range(rank)]
    wide = max(len(own), len(wanted))
    own, wanted = ([1] * (wide - len(items)) + items for items in (own, wanted))
    sizes = [_broadcast(one, other) for one, other in zip(own, wanted, strict=True)]
    return tf.broadcast_to(x.plain(), packed(sizes))


def _broadcast(one: Size, other: Size) -> Size:
    if _is(one, 1):
        return other
    if _is(other, 1) or isinstance(one, int):
        return one
    if isinstance(other, int):
        return other
    return tf.maximum(tf.cast(one, tf.int64), tf.cast(other, tf.int64))


@op("Tile", layout="own")
def tile(node: Node, x: Value, repeats: Value, *axis: Value | None) -> Any:
    """As often along each axis as ``repeats`` says."""
    if node.opset < 6:
        count, along = node.ints(1, "tiles"), node.ints(2, "axis")
        assert count and along, "both are required inputs"
        each = [1] * (x.rank or 0)
        each[along[0]] = count[0]
        return tf.tile(x.plain(), each)
    many = repeats.elements()
    return tf.tile(x.plain(), repeats.plain() if many is None else packed(many))


@op("Concat", layout="own")
def concat(node: Node, *terms: Value | None) -> Any:
    """Channels-last when that is how its parts are."""
    parts = [term for term in terms if term is not None]
    rank = parts[0].rank
    axis = node.get("axis", 1)
    if rank is None or not any(part.only_last for part in parts):
        return tf.concat([part.plain() for part in parts], axis)
    return Value(last=tf.concat([part.last() for part in parts], last_axis(axis, rank)))


def last_axis(axis: int, rank: int) -> int:
    """Where an axis of ONNX's order lies when channels are last."""
    axis %= rank
    return axis if axis == 0 else (rank - 1 if axis == 1 else axis - 1)


@op("Split", layout="own")
def split(node: Node, x: Value, *_: Value | None) -> Any:
    """Into the sizes given, or into equal parts (the last one may be smaller)."""
    axis = node.get("axis", 0)
    sizes = node.ints(1, "split")
    rank = x.rank
    there = x.only_last and rank is not None
    given = x.last() if there else x.plain()
    place = last_axis(axis, rank) if there and rank is not None else axis
    if sizes is None:
        count = node.get("num_outputs") or len(node.outputs)
        size = given.shape[place]
        if size is None:
            made = tf.split(given, count, place)
            return tuple(Value(last=item) if there else item for item in made)
        each = -(-size // count)
        sizes = [each] * (size // each) + ([size % each] if size % each else [])
        sizes += [0] * (count - len(sizes))
    made = tf.split(given, sizes, place)
    return tuple(Value(last=item) if there else item for item in made)


@op("ConstantOfShape", layout="own")
def constant_of_shape(node: Node, shape: Value) -> Any:
    """One value everywhere; float 0 unless said."""
    value = np.asarray(node.get("value", np.zeros(1, np.float32))).reshape(-1)[0]
    sizes = shape.elements()
    return tf.fill(shape.plain() if sizes is None else packed(sizes), tf.constant(value))


@op("Constant")
def constant(node: Node) -> Any:
    """A known array, however it is spelled."""
    kinds = {
        "value_float": np.float32,
        "value_floats": np.float32,
        "value_int": np.int64,
        "value_ints": np.int64,
        "value_string": object,
        "value_strings": object,
    }
    for name, kind in kinds.items():
        if node.get(name) is not None:
            return np.asarray(node.get(name), kind)
    if node.get("value") is None:
        raise node.unsupported("it holds a sparse tensor")
    return np.asarray(node.get("value"))


@op("DepthToSpace", layout="own")
def depth_to_space(node: Node, x: Value) -> Value:
    """TensorFlow's order of channels is DCR; CRD is brought to it."""
    size = node.get("blocksize")
    given = x.last()
    if node.get("mode", "DCR") == "CRD":
        channels = given.shape[-1]
        order = np.arange(channels).reshape(-1, size * size).T.reshape(-1)
        given = tf.gather(given, order, axis=-1)
    return Value(last=tf.nn.depth_to_space(given, size))


@op("SpaceToDepth", layout="own")
def space_to_depth(node: Node, x: Value) -> Value:
    return Value(last=tf.nn.space_to_depth(x.last(), node.get("blocksize")))
