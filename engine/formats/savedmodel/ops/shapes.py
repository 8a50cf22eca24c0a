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
    known = [size for size in sizes if isinstance(size, int)]
    if len(open_ones) == 1 and -1 not in known and 0 not in known:
        return tf.reshape(tensor, [size if isinstance(size, int) else -1 for size in sizes])
    return tf.reshape(tensor, packed(sizes))


@op("Reshape", layout="own")
def reshape(node: Node, x: Value, shape: Value | None = None) -> Any:
    """0 copies the input's size unless ``allowzero``; -1 is found."""
    sizes = list(node.get("shape", [])) if shape is None else shape.elements()
    if sizes is None:
        return tf.reshape(x.plain(), shape.plain() if shape else [])
    if not node.get("allowzero", 0):
        computed = shape is not None and shape.sizes is None
        sizes = [_copied(x, axis, size, computed) for axis, size in enumerate(sizes)]
    known = x.shape
    if -1 in [size for size in sizes if isinstance(size, int)] and known and None not in known:
        rest = [size for size in sizes if not _is(size, -1)]
        if is_known(rest) and math.prod(rest):
            found = math.prod(size or 0 for size in known) // math.prod(rest)
            sizes = [found if _is(size, -1) else size for size in sizes]
    return reshaped(x.plain(), sizes)


def _copied(x: Value, axis: int, size: Size, computed: bool) -> Size:
    """The size asked for, or the input's where that is 0; one that is computed may be."""
    if _is(size, 0):
        return x.dim(axis)
    if isinstance(size, int) or not computed or axis >= (x.rank or 0):
        return size
    return tf.where(tf.equal(size, 0), tf.cast(x.dim(axis), tf.int64), tf.cast(size, tf.int64))


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
    if order is None or rank is None:
        return tf.transpose(x.plain(), order)
    space = list(range(2, len(order)))
    if len(order) > 2 and order == [0, *space, 1] and x.array is None:
        return Value(plain=x.last())
    if len(order) > 2 and order == [0, len(order) - 1, *range(1, len(order) - 1)]:
        return Value(last=x.plain())
    return tf.transpose(x.plain(), order)


@op("Squeeze", layout="own")
def squeeze(node: Node, x: Value, *_: Value | None) -> Any:
    """Without the axes named, or without all of size 1."""
    if _is_open(node.value(1)):
        return _squeezed_anywhere(node, x)
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
    if _is_open(node.value(1)):
        return _unsqueezed_anywhere(node, x)
    axes = node.ints(1, "axes") or []
    made = x.plain()
    if x.rank is not None:
        axes = [axis % (x.rank + len(axes)) for axis in axes]
    elif min(axes) < 0 and len(axes) > 1:
        raise node.unsupported("the rank of its input is open")
    for axis in sorted(axes):
        made = tf.expand_dims(made, axis)
    return made


def _is_open(value: Value | None) -> bool:
    """Whether some of its elements are only found while running."""
    if value is None:
        return False
    found = value.elements()
    return found is None or not is_known(found)


def _counted(node: Node, rank: int) -> tuple[Any, int]:
    """The second input, axes that are computed: made positive, and how many there are."""
    value = node.value(1)
    assert value is not None, "asked for by _is_open"
    if value.shape is None or None in value.shape:
        raise node.unsupported("how many axes it changes is only found while running")
    axes = tf.reshape(tf.cast(value.plain(), tf.int64), [-1])
    return tf.where(axes < 0, axes + rank, axes), math.prod(size or 0 for size in value.shape)


def _squeezed_anywhere(node: Node, x: Value) -> Any:
    rank = x.rank or 0
    axes, count = _counted(node, rank)
    stays = tf.reduce_all(tf.range(rank, dtype=tf.int64)[:, tf.newaxis] != axes, 1)
    sizes = tf.boolean_mask(tf.shape(x.plain(), out_type=tf.int64), stays)
    return tf.reshape(x.plain(), tf.ensure_shape(sizes, [rank - count]))


def _unsqueezed_anywhere(node: Node, x: Value) -> Any:
    value = node.value(1)
    count = math.prod(size or 0 for size in (value.shape if value else None) or ())
    total = (x.rank or 0) + count
    axes, _ = _counted(node, total)
    places = tf.range(total, dtype=tf.int64)
    old = tf.reduce_all(places[:, tf.newaxis] != axes, 1)
    sizes = tf.tensor_scatter_nd_update(
        tf.ones([total], tf.int64), tf.where(old), tf.shape(x.plain(), out_type=tf.int64)
    )
    return tf.reshape(x.plain(), tf.ensure_shape(sizes, [total]))


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
    rank = x.rank
    asked = node.value(1)
    if asked is not None and _is_open(asked):
        return tuple(tf.split(x.plain(), asked.plain(), axis, num=len(node.outputs)))
    sizes = node.ints(1, "split")
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
    """TensorFlow's order of channels is DCR; CRD is made of it."""
    size = node.get("blocksize")
    made = tf.nn.space_to_depth(x.last(), size)
    if node.get("mode", "DCR") == "CRD":
        channels = made.shape[-1]
        order = np.arange(channels).reshape(size * size, -1).T.reshape(-1)
        made = tf.gather(made, order, axis=-1)
    return Value(last=made)
