"""How a handler is called: with tensors in one layout, as it asked for, or with the Values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.table import Handler
from engine.formats.savedmodel.values import Value


def call(handler: Handler, node: Node) -> Any:
    """Run a handler on its node's inputs."""
    if handler.layout == "own":
        return handler.call(node, *node.inputs)
    given = node.inputs
    rank = _rank_in_last(given) if handler.layout == "any" else None
    if rank is None:
        return handler.call(node, *[None if item is None else item.plain() for item in given])
    made = handler.call(node, *[None if item is None else _aligned(item, rank) for item in given])
    results = made if isinstance(made, (tuple, list)) else (made,)
    return tuple(None if item is None else Value(last=item) for item in results)


def _rank_in_last(inputs: Sequence[Value | None]) -> int | None:
    """The rank of the result when it is best computed channels-last; else None.

    That is when some input exists in channels-last only, and every other can be brought there:
    its rank is known and no larger.
    """
    there = [value for value in inputs if value is not None]
    lasts = [value.rank for value in there if value.only_last]
    if not lasts or any(value.rank is None for value in there):
        return None
    rank = max(value.rank for value in there if value.rank is not None)
    return rank if rank == max(item for item in lasts if item is not None) else None


def _aligned(value: Value, rank: int) -> Any:
    """The tensor channels-last at ``rank``, leading axes of size 1 put in as broadcasting does."""
    if value.rank == rank:
        return value.last()
    own = value.rank or 0
    if value.array is not None:
        if value.array.size == 1:
            return value.stored("scalar", lambda array: array.reshape(()))
        wide = (1,) * (rank - own) + value.array.shape
        return value.stored(f"last{rank}", lambda array: np.moveaxis(array.reshape(wide), 1, -1))
    tensor = value.plain()
    if own == 0:
        return tensor
    sizes = tf.concat([tf.ones([rank - own], tf.int32), tf.shape(tensor)], 0)
    return Value(plain=tf.reshape(tensor, sizes)).last()
