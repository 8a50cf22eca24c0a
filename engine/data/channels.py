"""What the values of a data set look like, channel by channel, as they stream by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.data.model import Channel
from engine.types import Signature

MOST = 16
"""Of an input with more channels, they are taken together."""


@dataclass(slots=True)
class _Sums:
    low: np.ndarray
    high: np.ndarray
    total: np.ndarray
    count: int = 0


@dataclass(slots=True)
class Channels:
    """The least, the mean and the largest value of every channel of every input of numbers."""

    signature: Signature
    _sums: dict[str, _Sums] = field(default_factory=dict)

    def add(self, arrays: Sequence[np.ndarray]) -> None:
        """One sample more."""
        for spec, array in zip(self.signature.inputs, arrays, strict=True):
            if array.dtype.kind in "fiu" and array.size:
                self._add(spec.name, _by_channel(array))

    def _add(self, name: str, rows: np.ndarray) -> None:
        """``rows``: [channels, values]."""
        low, high = rows.min(1), rows.max(1)
        total = rows.sum(1, dtype=np.float64)
        sums = self._sums.setdefault(name, _Sums(low, high, np.zeros_like(total)))
        sums.low, sums.high = np.minimum(sums.low, low), np.maximum(sums.high, high)
        sums.total += total
        sums.count += rows.shape[1]

    def found(self) -> tuple[Channel, ...]:
        """What there was, input by input."""
        return tuple(
            Channel(name, at, float(low), float(total) / sums.count, float(high))
            for name, sums in self._sums.items()
            for at, (low, total, high) in enumerate(
                zip(sums.low, sums.total, sums.high, strict=True)
            )
        )


def channel_axis(shape: tuple[int, ...]) -> int | None:
    """Which axis of an image counts its channels; None for what is no image."""
    if len(shape) != 3:
        return None
    if shape[0] in (1, 3, 4):
        return 0
    return 2 if shape[2] in (1, 3, 4) else None


def _by_channel(array: np.ndarray) -> np.ndarray:
    """[channels, values]: of images their channels, of a row its columns, else one of all."""
    axis = channel_axis(array.shape)
    if axis is not None:
        return np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)
    if array.ndim == 1 and array.size <= MOST:
        return array[:, None]
    return array.reshape(1, -1)
