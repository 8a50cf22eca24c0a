"""What a model answers on a sample: the class it finds likeliest, at every place there is one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def answers(outputs: Mapping[str, np.ndarray], row: int = 0) -> np.ndarray | None:
    """The answers of one sample by the first output, int64 [places]; None where it has no classes.

    Scores ``[batch, classes]`` give one, scores ``[batch, places, classes]`` one a place; whole
    numbers are answers themselves.
    """
    first = next(iter(outputs.values()))
    if first.ndim == 0 or first.ndim > 3:
        return None
    mine = first[row]
    if np.issubdtype(first.dtype, np.integer):
        return np.asarray(mine, np.int64).reshape(-1)
    if not np.issubdtype(first.dtype, np.floating) or first.ndim < 2 or first.shape[-1] < 2:
        return None
    return np.asarray(mine.argmax(-1), np.int64).reshape(-1)
