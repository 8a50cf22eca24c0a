"""Sums, means, extremes … over axes, channels-last where the input is."""

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
def reduce(node: Node, x: Value, *_: Value | None) -> Any:
    """Over ``axes``; without any over all, or (``noop_with_empty_axes``) over none."""
    axes, keep = node.ints(1, "axes"), bool(node.get("keepdims", 1))
    if not axes:
        if node.get("noop_with_empty_axes", 0):
            return x
        axes = None
    rank = x.rank
    if axes is not None and keep and x.only_last and rank is not None:
        places = [last_axis(axis, rank) for axis in axes]
        return Value(last=_reduced(node.op, x.last(), places, keep))
    return _reduced(node.op, x.plain(), axes, keep)


def _reduced(operator: str, x: Any, axes: list[int] | None, keep: bool) -> Any:
    call = _REDUCE[operator]
    if x.dtype == tf.bool:
        return (tf.reduce_all if operator == "ReduceMin" else tf.reduce_any)(x, axes, keep)
    return tf.cast(call(widened(x), axes, keep), x.dtype)
