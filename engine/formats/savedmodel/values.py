"""What one ONNX tensor is while it is lowered: known or computed, in one layout or in both.

``plain`` is ONNX's order (batch, channels, space …); ``last`` is TensorFlow's (batch, space …,
channels). A value is transposed when a form is asked for that it does not have, and never before:
a convolutional net stays in ``last`` from its first convolution to its head.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.weights import Weights

Size = Any
"""One element of a shape: an int where it is known, else a scalar int64 tensor."""


class Value:
    """One tensor: ``array`` when known at conversion, ``sizes`` when partly known, else forms."""

    __slots__ = ("_last", "_plain", "array", "name", "sizes", "weights")

    def __init__(
        self,
        *,
        array: np.ndarray | None = None,
        sizes: Sequence[Size] | Size = None,
        plain: Any = None,
        last: Any = None,
        name: str = "",
        weights: Weights | None = None,
    ) -> None:
        self.array = array
        self.sizes = sizes
        self._plain = plain
        self._last = last
        self.name = name
        self.weights = weights

    @property
    def only_last(self) -> bool:
        """Whether it exists in channels-last alone, so that ONNX's order costs a transpose."""
        return self._last is not None and self._plain is None

    @property
    def dtype(self) -> np.dtype[Any]:
        """numpy's dtype of the elements."""
        if self.array is not None:
            return self.array.dtype
        if self.sizes is not None:
            return np.dtype(np.int64)
        form = self._plain if self._plain is not None else self._last
        found: np.dtype[Any] = np.dtype(form.dtype.as_numpy_dtype)
        return found

    @property
    def shape(self) -> tuple[int | None, ...] | None:
        """In ONNX's order, None for what only running shows; None when even the rank is open."""
        if self.array is not None:
            return tuple(self.array.shape)
        if self.sizes is not None:
            return (len(self.sizes),) if isinstance(self.sizes, (list, tuple)) else ()
        if self._plain is not None:
            known = self._plain.shape
            return None if known.rank is None else tuple(known.as_list())
        order = self._last.shape.as_list()
        return (order[0], order[-1], *order[1:-1])

    @property
    def rank(self) -> int | None:
        """The number of axes; None when only running shows it."""
        shape = self.shape
        return None if shape is None else len(shape)

    def dim(self, axis: int) -> Size:
        """The size of one axis: an int, or a scalar tensor read from the form there is."""
        shape = self.shape
        if shape is not None and shape[axis] is not None:
            return shape[axis]
        if self._plain is not None or shape is None:
            return tf.shape(self.plain(), out_type=tf.int64)[axis]
        there = [0, len(shape) - 1, *range(1, len(shape) - 1)][axis]
        return tf.shape(self._last, out_type=tf.int64)[there]

    def plain(self) -> Any:
        """The tensor in ONNX's order."""
        if self._plain is not None:
            return self._plain
        if self.array is not None:
            return self.stored("", lambda array: array)
        if self.sizes is not None:
            many = isinstance(self.sizes, (list, tuple))
            return packed(self.sizes) if many else tf.convert_to_tensor(self.sizes, tf.int64)
        made = _moved(self._last, to_last=False)
        if _same_graph(made, self._last):
            self._plain = made
        return made

    def last(self) -> Any:
        """The tensor with channels last; for a rank above 2."""
        if self._last is not None:
            return self._last
        if self.array is not None:
            return self.stored("last", lambda array: np.moveaxis(array, 1, -1))
        made = _moved(self.plain(), to_last=True)
        if self._plain is not None and _same_graph(made, self._plain):
            self._last = made
        return made

    def stored(self, tag: str, change: Callable[[np.ndarray], np.ndarray]) -> Any:
        """A known array, changed once at conversion; kept as a variable where it is large."""
        assert self.array is not None
        return (self.weights or Weights()).tensor(self.name, tag, self.array, change)

    def elements(self) -> list[Size] | None:
        """A vector (or scalar) of integers one by one; None when its length is open."""
        if self.array is not None:
            return [int(item) for item in self.array.reshape(-1)]
        if self.sizes is not None:
            return list(self.sizes) if isinstance(self.sizes, (list, tuple)) else [self.sizes]
        tensor = tf.cast(self.plain(), tf.int64)
        if tensor.shape.rank is None or not tensor.shape.is_fully_defined():
            return None
        flat = tf.unstack(tf.reshape(tensor, [-1]), num=tensor.shape.num_elements())
        known = [tf.get_static_value(item) for item in flat]
        return [item if at is None else int(at) for item, at in zip(flat, known, strict=True)]


def is_known(sizes: Sequence[Size]) -> bool:
    """Whether every element is an int."""
    return all(isinstance(item, int) for item in sizes)


def packed(sizes: Sequence[Size]) -> Any:
    """Sizes as one int64 vector: a constant where all are known."""
    if is_known(sizes):
        return tf.constant(list(sizes), tf.int64, shape=[len(sizes)])
    return tf.stack([tf.cast(item, tf.int64) for item in sizes])


def _moved(tensor: Any, *, to_last: bool) -> Any:
    """Transposed; only reshaped when all of space is one point, for then no value moves."""
    rank = tensor.shape.rank
    order = [0, *range(2, rank), 1] if to_last else [0, rank - 1, *range(1, rank - 1)]
    shape = tensor.shape.as_list()
    space = shape[2:] if to_last else shape[1:-1]
    if all(size == 1 for size in space) and shape[order[-1 if to_last else 1]] is not None:
        wanted = [shape[axis] for axis in order]
        return tf.reshape(tensor, [-1 if wanted[0] is None else wanted[0], *wanted[1:]])
    return tf.transpose(tensor, order)


def _same_graph(one: Any, other: Any) -> bool:
    """A form made inside a branch or loop must not be handed to the graph around it."""
    return bool(tf.executing_eagerly() or one.graph is other.graph)
