"""The values of one tensor as they stream by, in memory that does not grow, and the range they get.

A histogram of ``2 * SIDE`` equal bins around zero. Where a value lies outside, the bins are folded
two by two and reach twice as far, so that at least ``SIDE / 2`` of them are always in use.
"""

from __future__ import annotations

import numpy as np

SIDE = 2048
"""Bins on each side of zero."""
LEVELS = 128
"""Into so many levels entropy calibration quantizes magnitudes, as TensorRT's calibrator does."""
_PIECE = 1 << 18
_NEAREST = 1e-12


class Histogram:
    """Least and largest value and, with ``bins``, how many values lie where between."""

    def __init__(self, bins: bool) -> None:
        self.low, self.high = 0.0, 0.0
        self.reach = 0.0
        self.counts = np.zeros(2 * SIDE if bins else 0, np.int64)

    def add(self, values: np.ndarray) -> bool:
        """Take the values of one sample; False, and nothing taken, unless all are finite."""
        flat = values.reshape(-1)
        if not flat.size:
            return True
        low, high = float(flat.min()), float(flat.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            return False
        self.low, self.high = min(self.low, low), max(self.high, high)
        if self.counts.size:
            self._stretch(max(-low, high))
            for start in range(0, flat.size, _PIECE):
                self._count(flat[start : start + _PIECE])
        return True

    def _stretch(self, peak: float) -> None:
        self.reach = self.reach or max(peak, _NEAREST)
        while peak > self.reach:
            halves = self.counts.reshape(2, SIDE // 2, 2).sum(2)
            self.counts[:] = 0
            self.counts[SIDE // 2 : SIDE + SIDE // 2] = halves.reshape(-1)
            self.reach *= 2

    def _count(self, piece: np.ndarray) -> None:
        places = (piece * np.float32(SIDE / self.reach) + np.float32(SIDE)).astype(np.int32)
        np.clip(places, 0, 2 * SIDE - 1, out=places)
        self.counts += np.bincount(places, minlength=2 * SIDE)

    def range_by(self, method: str, percentile: float) -> tuple[float, float]:
        """The range to quantize, zero inside: ``minmax``, ``percentile`` or ``entropy``."""
        if method == "minmax" or not self.counts.sum():
            return self.low, self.high
        low, high = self._kept(percentile) if method == "percentile" else self._cut()
        return max(self.low, low), min(self.high, high)

    def _kept(self, percentile: float) -> tuple[float, float]:
        """Edges between which ``percentile`` of 100 values lie, half of the rest at each end."""
        below = np.cumsum(self.counts) / self.counts.sum()
        cut = (100.0 - percentile) / 200.0
        first = int(np.searchsorted(below, cut, side="right"))
        last = int(np.searchsorted(below, 1.0 - cut))
        width = self.reach / SIDE
        return min(0.0, (first - SIDE) * width), max(0.0, (last + 1 - SIDE) * width)

    def _cut(self) -> tuple[float, float]:
        """Where quantized magnitudes tell least from the true ones (Kullback-Leibler)."""
        sizes = self.counts[SIDE:] + self.counts[SIDE - 1 :: -1]
        # Zeros, exact in any range, would drown what the others lose.
        sizes[0] = sizes[1]
        if not sizes.any():
            return self.low, self.high
        used = int(np.flatnonzero(sizes)[-1]) + 1
        cuts = range(min(LEVELS, used), used + 1)
        best = min(cuts, key=lambda cut: _divergence(sizes, cut))
        edge = best * self.reach / SIDE
        return -edge, edge


def _divergence(sizes: np.ndarray, cut: int) -> float:
    """KL(P‖Q), in nats: P the first ``cut`` bins with all beyond put on the last, Q quantized."""
    kept = sizes[:cut].astype(np.float64)
    there = kept > 0
    starts = np.unique(np.linspace(0, cut, LEVELS, endpoint=False).astype(np.int64))
    spans = np.diff(np.append(starts, cut))
    filled = np.maximum(np.add.reduceat(there.astype(np.float64), starts), 1)
    q = np.repeat(np.add.reduceat(kept, starts) / filled, spans) * there
    p = kept
    p[-1] += float(sizes[cut:].sum())
    p, q = _smoothed(p), _smoothed(q)
    return float((p * np.log(p / q)).sum())


def _smoothed(counts: np.ndarray, least: float = 1e-4) -> np.ndarray:
    """As chances, none of them zero: an empty bin would make the divergence infinite."""
    chances: np.ndarray = (counts + least) / (counts.sum() + least * counts.size)
    return chances
