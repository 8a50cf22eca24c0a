"""Reductions over axes, and where along them the largest element lies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.ops.arithmetic import widened
from engine.formats.savedmodel.ops.shapes import last_axis
from engine.formats.savedmodel.table import op
from engine.formats.savedmodel.values import Value

_REDUCE: dict[str, Callable[[Any, Any, bool], Any]] = {
    "ReduceSum": lambda x, axes, keep: tf.reduce_sum(x, axes, keep),
    "ReduceMean": lambda x, axes, keep: tf.reduce_mean(x, axes, keep),
    "ReduceMax": lambda x, axes, keep: tf.reduce_max(x, axes, keep),
    "ReduceMin": lambda x, axes, keep: tf.reduce_min(x, axes, keep),
    "ReduceProd": lambda x, axes, keep: tf.reduce_prod(x, axes, keep),
    "ReduceL1": lambda x, axes, keep: tf.reduce_sum(tf.abs(x), axes, keep),
    "ReduceL2": lambda x, axes, keep: tf.sqrt(tf.reduce_sum(tf.square(x), axes, keep)),
    "ReduceLogSum": lambda x, axes, keep: tf.math.log(tf.reduce_sum(x, axes, keep)),
    "ReduceLogSumExp": lambda x, axes, keep: tf.reduce_logsumexp(x, axes, keep),
    "ReduceSumSquare": lambda x, axes, keep: tf.reduce_sum(tf.square(x), axes, keep),
}


@op(*_REDUCE, layout="own")
def reduce(node: Node, x: Value, axes: Value | None = None) -> Any:
    """Over ``axes``; without any over all, or (``noop_with_empty_axes``) over none."""
    over, keep = _axes(node, axes, x.rank), bool(node.get("keepdims", 1))
    rank = x.rank
    if isinstance(over, list) and over and x.only_last and rank is not None:
        places = [last_axis(axis, rank) for axis in over]
        if keep:
            return Value(last=_reduced(node.op, x.last(), places, keep))
        if {*range(1, rank - 1)} <= set(places):  # What is left has no space to lay out.
            return _reduced(node.op, x.last(), places, keep)
    return _reduced(node.op, x.plain(), over, keep)


def _axes(node: Node, axes: Value | None, rank: int | None) -> Any:
    """A list where they are known, else a tensor; None for every axis."""
    found = node.get("axes") if axes is None else _given(axes)
    still = bool(node.get("noop_with_empty_axes", 0))
    if found is None or (isinstance(found, list) and not found):
        return [] if still else None
    if axes is None or isinstance(found, list) or still or axes.shape not in (None, (None,)):
        return found
    if rank is None:
        raise node.unsupported("the rank of its input is open, and so are its axes")
    # Only running shows whether there are any.
    every = tf.range(rank, dtype=found.dtype)
    return tf.cond(tf.equal(tf.size(found), 0), lambda: every, lambda: found)


def _given(axes: Value) -> Any:
    if axes.shape == (0,):
        return []
    return axes.elements() if axes.array is not None else axes.plain()


def _reduced(operator: str, x: Any, axes: Any, keep: bool) -> Any:
    call = _REDUCE[operator]
    if x.dtype == tf.bool:
        return (tf.reduce_all if operator == "ReduceMin" else tf.reduce_any)(x, axes, keep)
    return tf.cast(call(widened(x), axes, keep), x.dtype)


@op("ArgMax", "ArgMin")
def arg_extreme(node: Node, x: Any) -> Any:
    """The index of the first (or last) extreme element along an axis."""
    axis = node.get("axis", 0)
    find = tf.argmax if node.op == "ArgMax" else tf.argmin
    if node.get("select_last_index", 0):
        last = tf.shape(x, tf.int64)[axis] - 1
        found = last - find(tf.reverse(x, [axis]), axis)
    else:
        found = find(x, axis)
    return tf.expand_dims(found, axis) if node.get("keepdims", 1) else found


@op("CumSum", "CumProd")
def cumulative(node: Node, x: Any, axis: Any) -> Any:
    """Running sums or products along an axis."""
    run = tf.cumsum if node.op == "CumSum" else tf.math.cumprod
    along = tf.reshape(axis, [])
    return run(x, along, bool(node.get("exclusive", 0)), bool(node.get("reverse", 0)))
