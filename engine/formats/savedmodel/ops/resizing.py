"""Resize and Upsample: every mode, as one small matrix for each axis.

The common cases (nearest and linear, over two axes of space) use TensorFlow's own kernels. Where a
size is open the same formulas run in TensorFlow, with the model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.table import op
from engine.formats.savedmodel.values import Size, Value, is_known, packed


@dataclass(frozen=True, slots=True)
class _Axis:
    """One axis to resize: sizes before and after, scale, and the part that is read."""

    axis: int
    size: Size
    target: Size
    scale: Any
    begin: Any = 0.0
    end: Any = 1.0

    @property
    def xp(self) -> Any:
        """Where to compute places and weights: numpy at conversion, else TensorFlow."""
        every = (self.size, self.target, self.scale, self.begin, self.end)
        return np if all(isinstance(item, (int, float)) for item in every) else tf

    def number(self, size: Size) -> Any:
        """A size as a floating number."""
        return float(size) if isinstance(size, int) else tf.cast(size, tf.float64)

    def count(self, size: Size) -> Any:
        """0, 1, 2 … below ``size``, floating."""
        if self.xp is np:
            return np.arange(size, dtype=np.float64)
        return tf.range(tf.cast(size, tf.float64), dtype=tf.float64)


@op("Upsample", layout="own")
def upsample(node: Node, x: Value, scales: Value | None = None) -> Any:
    """What Resize was before opset 10: asymmetric, and nearest rounds down."""
    given = node.get("scales") if scales is None else _floats(node, scales)
    if given is None:  # opset 1
        given = [1.0, 1.0, node.get("height_scale", 1.0), node.get("width_scale", 1.0)]
    return _resized(node, x, list(given), None, "asymmetric", "floor")


@op("Resize", since=10, layout="own")
def resize_first(node: Node, x: Value, scales: Value) -> Any:
    """Opset 10: as Upsample."""
    return _resized(node, x, _floats(node, scales), None, "asymmetric", "floor")


@op("Resize", since=11, layout="own")
def resize(
    node: Node,
    x: Value,
    roi: Value | None = None,
    scales: Value | None = None,
    sizes: Value | None = None,
) -> Any:
    """By ``scales`` or to ``sizes``, which may be computed for TensorFlow's own kernels."""
    where = node.get("coordinate_transformation_mode", "half_pixel")
    rounding = node.get("nearest_mode", "round_prefer_floor")
    wanted = None if sizes is None or sizes.shape == (0,) else sizes.elements()
    factors = None
    if wanted is None:
        if scales is None:
            raise node.unsupported("it has neither scales nor sizes")
        factors = _floats(node, scales)
    return _resized(node, x, factors, wanted, where, rounding)


def _floats(node: Node, value: Value) -> list[Any]:
    """The elements of a vector of floats: numbers where known, else scalar tensors."""
    if value.array is not None:
        return [float(item) for item in value.array.reshape(-1)]
    if value.shape is None or None in value.shape:
        raise node.unsupported("how many axes it resizes is open")
    return list(tf.unstack(tf.cast(value.plain(), tf.float64), num=value.shape[0]))


def _resized(
    node: Node,
    x: Value,
    scales: list[Any] | None,
    sizes: list[Size] | None,
    where: str,
    rounding: str,
) -> Any:
    rank = x.rank
    if rank is None:
        raise node.unsupported("the rank of its input is open")
    axes = [axis % rank for axis in node.get("axes") or range(rank)]
    scales, sizes = _kept(node, x, axes, scales, sizes)
    shape = x.shape or ()
    moved = [axis for index, axis in enumerate(axes) if _moves(index, axis, scales, sizes, shape)]
    fast = _fast(node, where, rounding) if rank == 4 and set(moved) <= {2, 3} else None
    if fast is not None:
        made = _by_kernel(x, axes, scales, sizes, fast)
        if made is not None:
            return made
    plans = [
        _plan(node, x, index, axis, scales, sizes)
        for index, axis in enumerate(axes)
        if axis in moved or where == "tf_crop_and_resize"
    ]
    there = x.only_last
    made = x.last() if there else x.plain()
    kind = made.dtype
    for plan in plans:
        place = plan.axis if not there else {0: 0, 1: rank - 1}.get(plan.axis, plan.axis - 1)
        made = _along(node, made, place, plan, where, rounding)
    made = tf.cast(made, kind)
    return Value(last=made) if there else made


def _kept(
    node: Node, x: Value, axes: list[int], scales: list[Any] | None, sizes: list[Size] | None
) -> tuple[list[Any] | None, list[Size] | None]:
    """With a policy that keeps the aspect ratio, one scale for all axes."""
    policy = node.get("keep_aspect_ratio_policy", "stretch")
    if sizes is None or policy == "stretch":
        return scales, sizes
    every = [*sizes, *[x.dim(axis) for axis in axes]]
    if is_known(every):
        ratios = [size / x.dim(axis) for size, axis in zip(sizes, axes, strict=True)]
        best = min(ratios) if policy == "not_larger" else max(ratios)
        return [best] * len(axes), [math.floor(best * x.dim(axis) + 0.5) for axis in axes]
    dims = tf.cast(packed([x.dim(axis) for axis in axes]), tf.float64)
    ratio = tf.cast(packed(sizes), tf.float64) / dims
    scale = (tf.reduce_min if policy == "not_larger" else tf.reduce_max)(ratio)
    rounded = tf.cast(tf.floor(scale * dims + 0.5), tf.int64)
    return [scale] * len(axes), list(tf.unstack(rounded, num=len(axes)))


def _moves(
    index: int,
    axis: int,
    scales: list[Any] | None,
    sizes: list[Size] | None,
    shape: tuple[int | None, ...],
) -> bool:
    if sizes is not None:
        size = sizes[index]
        # An open size on batch or channels is that of the input, passed through.
        return axis >= 2 if not isinstance(size, int) else size != shape[axis]
    if scales is None:
        return False
    scale = scales[index]
    return axis >= 2 if not isinstance(scale, float) else scale != 1


def _plan(
    node: Node,
    x: Value,
    index: int,
    axis: int,
    scales: list[Any] | None,
    sizes: list[Size] | None,
) -> _Axis:
    size = x.dim(axis)
    whole = size if isinstance(size, int) else tf.cast(size, tf.float64)
    target = sizes[index] if sizes is not None else None
    begin, end = 0.0, 1.0
    roi = node.value(1) if node.get("coordinate_transformation_mode") == _CROP else None
    if roi is not None:
        places = _floats(node, roi)
        begin, end = places[index], places[index + len(places) // 2]
    if target is None:
        assert scales is not None, "there are scales or sizes"
        target = whole * (end - begin) * scales[index]
        known = isinstance(target, (int, float))
        target = math.floor(target) if known else tf.cast(tf.floor(target), tf.int64)
    if scales is not None:
        scale = scales[index]
    else:
        scale = (target if isinstance(target, int) else tf.cast(target, tf.float64)) / whole
    return _Axis(axis, size, target, scale, begin, end)


_CROP = "tf_crop_and_resize"


def _fast(node: Node, where: str, rounding: str) -> Any:
    """TensorFlow's kernel that computes just this: (image, sizes) → image; None without one."""
    if node.get("antialias", 0) or node.get("exclude_outside", 0):
        return None
    mode = node.get("mode", "nearest")
    how = {
        "align_corners": (True, False),
        "half_pixel": (False, True),
        "asymmetric": (False, False),
    }
    if where not in how:
        return None
    corners, half = how[where]
    if mode == "linear":
        return lambda image, size: tf.raw_ops.ResizeBilinear(
            images=image, size=size, align_corners=corners, half_pixel_centers=half
        )
    if mode == "nearest" and where == "asymmetric" and rounding == "floor":
        return lambda image, size: tf.raw_ops.ResizeNearestNeighbor(images=image, size=size)
    return None


def _by_kernel(
    x: Value, axes: list[int], scales: list[Any] | None, sizes: list[Size] | None, kernel: Any
) -> Value | None:
    """None when a scale does not give whole sizes: TensorFlow knows only sizes."""
    targets: list[Size] = []
    for axis in (2, 3):
        if axis not in axes:
            targets.append(x.dim(axis))
            continue
        index = axes.index(axis)
        if sizes is not None:
            targets.append(sizes[index])
            continue
        assert scales is not None, "there are scales or sizes"
        size, scale = x.dim(axis), scales[index]
        if not isinstance(scale, float):
            return None
        if scale.is_integer():
            targets.append(size * int(scale))
        elif isinstance(size, int) and (size * scale).is_integer():
            targets.append(int(size * scale))
        else:
            return None
    image = x.last()
    kind = image.dtype
    if kind.is_integer or kind == tf.float64:
        return None
    made = kernel(image, tf.stack([tf.cast(size, tf.int32) for size in targets]))
    known = [size if isinstance(size, int) else None for size in targets]
    made.set_shape([image.shape[0], *known, image.shape[-1]])
    return Value(last=tf.cast(made, kind))


def _along(node: Node, given: Any, place: int, plan: _Axis, where: str, rounding: str) -> Any:
    """One axis: by places for nearest, else by a matrix of weights."""
    at = _places(plan, where)
    xp, top = plan.xp, plan.number(plan.size) - 1
    if node.get("mode", "nearest") == "nearest":
        near = xp.minimum(xp.maximum(_ROUND[rounding](xp, at), 0), top)
        made = tf.gather(given, tf.cast(near, tf.int64), axis=place)
    else:
        kind = given.dtype
        wide = tf.float64 if kind == tf.float64 else tf.float32
        matrix = tf.cast(_weights(node, plan, at), wide)
        moved = tf.tensordot(tf.cast(given, wide), matrix, [[place], [1]])
        rank = given.shape.rank
        made = tf.transpose(moved, [*range(place), rank - 1, *range(place, rank - 1)])
        made = tf.cast(tf.round(made) if kind.is_integer else made, kind)
    if where != _CROP:
        return made
    shape = [1] * given.shape.rank
    shape[place] = -1
    outside = tf.reshape(tf.convert_to_tensor((at < 0) | (at > top)), shape)
    return tf.where(outside, tf.cast(node.get("extrapolation_value", 0.0), made.dtype), made)


def _places(plan: _Axis, where: str) -> Any:
    """Where in the input each element of the output lies."""
    xp, target = plan.xp, plan.count(plan.target)
    size, length = plan.number(plan.size), plan.number(plan.target)
    if where == "align_corners":
        span = plan.scale * size  # not the whole target: scales may give a fraction of one
        apart = _where(xp, xp.equal(span, 1.0), 1.0, span - 1)
        return _where(xp, xp.equal(span, 1.0), 0.0, target * (size - 1) / apart)
    if where == "asymmetric":
        return target / plan.scale
    if where == _CROP:
        span = size - 1
        step = (plan.end - plan.begin) * span / xp.maximum(length - 1, 1.0)
        middle = 0.5 * (plan.begin + plan.end) * span
        return _where(xp, xp.equal(length, 1.0), middle, plan.begin * span + target * step)
    at = (target + 0.5) / plan.scale - 0.5
    if where == "pytorch_half_pixel":
        return _where(xp, xp.equal(length, 1.0), 0.0, at)
    if where == "half_pixel_symmetric":
        return size / 2 * (1 - length / (plan.scale * size)) + at
    return at


_ROUND: dict[str, Any] = {
    "floor": lambda xp, at: xp.floor(at),
    "ceil": lambda xp, at: -xp.floor(-at),
    "round_prefer_floor": lambda xp, at: -xp.floor(0.5 - at),
    "round_prefer_ceil": lambda xp, at: xp.floor(at + 0.5),
}


def _weights(node: Node, plan: _Axis, at: Any) -> Any:
    """(target, size): how much each element of the input counts."""
    xp, size = plan.xp, plan.number(plan.size)
    cubic = node.get("mode") == "cubic"
    shrink = xp.minimum(plan.scale, 1.0) if node.get("antialias", 0) else 1.0
    reach = (2 if cubic else 1) / shrink
    begin, end = xp.floor(-reach) - 1, 2 - xp.floor(-reach)
    taps = np.arange(begin, end) if xp is np else tf.range(begin, end, dtype=tf.float64)
    spots = xp.floor(at)[:, None] + taps
    distance = xp.abs(spots - at[:, None]) * shrink
    share = _cubic(xp, distance, node.get("cubic_coeff_a", -0.75)) if cubic else None
    share = xp.maximum(1 - distance, 0.0) if share is None else share
    if node.get("exclude_outside", 0):
        share = _where(xp, (spots < 0) | (spots >= size), 0.0, share)
    share = share / xp.einsum("tk->t", share)[:, None]
    inside = xp.minimum(xp.maximum(spots, 0.0), size - 1)
    here = xp.equal(inside[:, :, None], plan.count(plan.size))
    return xp.einsum("tks->ts", _where(xp, ~here, 0.0, share[:, :, None]))


def _where(xp: Any, condition: Any, number: Any, otherwise: Any) -> Any:
    """``number`` where the condition holds, in the type of the rest."""
    if xp is np:
        return np.where(condition, number, otherwise)
    return tf.where(condition, tf.cast(number, tf.float64), otherwise)


def _cubic(xp: Any, distance: Any, a: float) -> Any:
    """Keys' kernel."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((distance - 5) * distance + 8) * distance * a - 4 * a
    return xp.where(distance <= 1, near, _where(xp, distance >= 2, 0.0, far))
