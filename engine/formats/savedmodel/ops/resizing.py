"""Resize and Upsample: every mode, as one small matrix for each axis, made at conversion.

The common cases (nearest and linear, over two axes of space) use TensorFlow's own kernels; they are
also the only ones for axes of open size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.table import op
from engine.formats.savedmodel.values import Size, Value


@dataclass(frozen=True, slots=True)
class _Axis:
    """One axis to resize: sizes before and after, scale, and the part that is read."""

    axis: int
    size: int
    target: int
    scale: float
    begin: float = 0.0
    end: float = 1.0


@op("Upsample", layout="own")
def upsample(node: Node, x: Value, scales: Value | None = None) -> Any:
    """What Resize was before opset 10: asymmetric, and nearest rounds down."""
    given = node.get("scales") if scales is None else node.known(1, "scales")
    if given is None:  # opset 1
        given = [1.0, 1.0, node.get("height_scale", 1.0), node.get("width_scale", 1.0)]
    return _resized(node, x, [float(item) for item in given], None, "asymmetric", "floor")


@op("Resize", since=10, layout="own")
def resize_first(node: Node, x: Value, scales: Value) -> Any:
    """Opset 10: as Upsample."""
    given = node.known(1, "scales")
    assert given is not None, "a required input"
    return _resized(node, x, [float(item) for item in given], None, "asymmetric", "floor")


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
        known = node.known(2, "scales")
        if known is None:
            raise node.unsupported("it has neither scales nor sizes")
        factors = [float(item) for item in known]
    return _resized(node, x, factors, wanted, where, rounding)


def _resized(
    node: Node,
    x: Value,
    scales: list[float] | None,
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
    node: Node, x: Value, axes: list[int], scales: list[float] | None, sizes: list[Size] | None
) -> tuple[list[float] | None, list[Size] | None]:
    """With a policy that keeps the aspect ratio, one scale for all axes."""
    policy = node.get("keep_aspect_ratio_policy", "stretch")
    if sizes is None or policy == "stretch":
        return scales, sizes
    ratios = [size / x.dim(axis) for size, axis in zip(sizes, axes, strict=True)]
    scale = min(ratios) if policy == "not_larger" else max(ratios)
    rounded = [math.floor(scale * x.dim(axis) + 0.5) for axis in axes]
    return [scale] * len(axes), list(rounded)


def _moves(
    index: int,
    axis: int,
    scales: list[float] | None,
    sizes: list[Size] | None,
    shape: tuple[int | None, ...],
) -> bool:
    if sizes is not None:
        size = sizes[index]
        # An open size on batch or channels is that of the input, passed through.
        return axis >= 2 if not isinstance(size, int) else size != shape[axis]
    return scales is not None and scales[index] != 1


def _plan(
    node: Node,
    x: Value,
    index: int,
    axis: int,
    scales: list[float] | None,
    sizes: list[Size] | None,
) -> _Axis:
    size = x.dim(axis)
    target = sizes[index] if sizes is not None else None
    if not isinstance(size, int) or not (target is None or isinstance(target, int)):
        raise node.unsupported("this mode needs sizes that are known at conversion")
    roi = node.known(1, "roi") if node.get("coordinate_transformation_mode") == _CROP else None
    begin, end = (0.0, 1.0) if roi is None else (roi[index], roi[index + len(roi) // 2])
    if target is None:
        assert scales is not None, "there are scales or sizes"
        span = float(end) - float(begin)
        target = math.floor(size * span * scales[index])
    scale = scales[index] if scales is not None else target / size
    return _Axis(axis, size, target, scale, float(begin), float(end))


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
    x: Value, axes: list[int], scales: list[float] | None, sizes: list[Size] | None, kernel: Any
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
        if float(scale).is_integer():
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
    outside = (at < 0) | (at > plan.size - 1) if where == _CROP else np.zeros(len(at), bool)
    if node.get("mode", "nearest") == "nearest":
        near = np.clip(_ROUND[rounding](at), 0, plan.size - 1).astype(np.int64)
        made = tf.gather(given, near, axis=place)
    else:
        weights = _weights(node, plan, at)
        kind = given.dtype
        matrix = tf.constant(weights, tf.float64 if kind == tf.float64 else tf.float32)
        moved = tf.tensordot(tf.cast(given, matrix.dtype), matrix, [[place], [1]])
        rank = given.shape.rank
        order = [*range(place), rank - 1, *range(place, rank - 1)]
        made = tf.transpose(moved, order)
        made = tf.cast(tf.round(made), kind) if kind.is_integer else tf.cast(made, kind)
    if outside.any():
        wide = [1] * given.shape.rank
        wide[place] = -1
        value = tf.cast(node.get("extrapolation_value", 0.0), made.dtype)
        made = tf.where(outside.reshape(wide), value, made)
    return made


def _places(plan: _Axis, where: str) -> np.ndarray:
    """Where in the input each element of the output lies."""
    target = np.arange(plan.target, dtype=np.float64)
    if where == "align_corners":
        length = plan.scale * plan.size  # not the whole target: scales may give a fraction of one
        return target * (plan.size - 1) / (length - 1) if length != 1 else target * 0
    if where == "asymmetric":
        return target / plan.scale
    if where == _CROP:
        span = plan.size - 1
        if plan.target == 1:
            return np.full(1, 0.5 * (plan.begin + plan.end) * span)
        step = (plan.end - plan.begin) * span / (plan.target - 1)
        return plan.begin * span + target * step
    at = (target + 0.5) / plan.scale - 0.5
    if where == "pytorch_half_pixel" and plan.target == 1:
        return np.zeros(1)
    if where == "half_pixel_symmetric":
        wished = plan.scale * plan.size
        return plan.size / 2 * (1 - plan.target / wished) + at
    return at


_ROUND: dict[str, Any] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda at: np.ceil(at - 0.5),
    "round_prefer_ceil": lambda at: np.floor(at + 0.5),
}


def _weights(node: Node, plan: _Axis, at: np.ndarray) -> np.ndarray:
    """(target, size): how much each element of the input counts."""
    cubic = node.get("mode") == "cubic"
    shrink = min(plan.scale, 1.0) if node.get("antialias", 0) else 1.0
    reach = (2 if cubic else 1) / shrink
    taps = np.arange(math.floor(-reach) - 1, math.ceil(reach) + 2)
    spots = np.floor(at)[:, None] + taps
    distance = np.abs(spots - at[:, None]) * shrink
    share = _cubic(distance, node.get("cubic_coeff_a", -0.75)) if cubic else _hat(distance)
    if node.get("exclude_outside", 0):
        share = np.where((spots < 0) | (spots >= plan.size), 0, share)
    share = share / share.sum(1, keepdims=True)
    weights = np.zeros((plan.target, plan.size))
    inside = np.clip(spots, 0, plan.size - 1).astype(np.int64)
    np.add.at(weights, (np.arange(plan.target)[:, None], inside), share)
    return weights


def _hat(distance: np.ndarray) -> np.ndarray:
    return np.maximum(0, 1 - distance)


def _cubic(distance: np.ndarray, a: float) -> np.ndarray:
    """Keys' kernel."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((distance - 5) * distance + 8) * distance * a - 4 * a
    kernel: np.ndarray = np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
    return kernel
