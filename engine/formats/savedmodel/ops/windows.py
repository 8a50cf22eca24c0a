"""The sliding window that convolutions and pools share: kernel, strides, dilations, padding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.values import Value


@dataclass(frozen=True, slots=True)
class Window:
    """``pads`` holds (before, after) for each axis of space."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[Any, Any], ...]

    @classmethod
    def of(cls, node: Node, x: Value, kernel: list[int]) -> Window:
        """As the node's attributes say; ``auto_pad`` is worked out from the input's sizes."""
        space = len(kernel)
        strides = tuple(node.get("strides") or [1] * space)
        dilations = tuple(node.get("dilations") or [1] * space)
        auto = node.get("auto_pad", "NOTSET")
        if auto in ("SAME_UPPER", "SAME_LOWER"):
            spans = [(size - 1) * by + 1 for size, by in zip(kernel, dilations, strict=True)]
            pads = tuple(
                _same(x.dim(2 + axis), spans[axis], strides[axis], auto == "SAME_UPPER")
                for axis in range(space)
            )
        else:
            given = [] if auto == "VALID" else node.get("pads")
            given = given or [0] * 2 * space
            pads = tuple(zip(given[:space], given[space:], strict=True))
        return cls(tuple(kernel), strides, dilations, pads)

    @property
    def is_padded(self) -> bool:
        """Whether there is any padding, or may be."""
        return any(not isinstance(pad, int) or pad for pair in self.pads for pad in pair)

    def every(self) -> tuple[slice, ...]:
        """The places of a channels-last tensor that the strides keep."""
        space = (slice(None, None, stride) for stride in self.strides)
        return slice(None), *space, slice(None)

    def padded(self, given: Any) -> tuple[Any, Any]:
        """The channels-last tensor and TensorFlow's ``padding`` for it.

        Padding that only running shows, or that cuts, is put on (or off) beforehand.
        """
        if not self.is_padded:
            return given, "VALID"
        if all(isinstance(pad, int) and pad >= 0 for pair in self.pads for pad in pair):
            return given, [[0, 0], *[list(pair) for pair in self.pads], [0, 0]]
        return tf.pad(given, self.paddings()), "VALID"

    def paddings(self) -> Any:
        """For ``tf.pad`` on a channels-last tensor."""
        rows = [[0, 0], *[list(pair) for pair in self.pads], [0, 0]]
        if all(isinstance(pad, int) for row in rows for pad in row):
            return rows
        return tf.stack([tf.stack([tf.cast(pad, tf.int64) for pad in row]) for row in rows])


def _same(size: Any, span: int, stride: int, upper: bool) -> tuple[Any, Any]:
    """Padding so that the result has ceil(size / stride) elements."""
    if isinstance(size, int):
        total = max((-(-size // stride) - 1) * stride + span - size, 0)
        small, large = total // 2, total - total // 2
    else:
        total = tf.maximum((-(-size // stride) - 1) * stride + span - size, 0)
        small = total // 2
        large = total - small
    return (small, large) if upper else (large, small)
