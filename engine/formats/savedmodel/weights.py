"""Known arrays in the SavedModel: large ones as variables, each stored once, small ones in place.

A ``saved_model.pb`` ends at 2 GB and is parsed whole; variables are neither.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from engine.formats.savedmodel.framework import tf

SMALL = 64
"""Elements up to which an array is written into the graph."""


class Weights:
    """The variables of one model, by the name of the ONNX tensor and how it was rearranged."""

    def __init__(self) -> None:
        self.variables: dict[str, Any] = {}
        self._arrays: dict[str, np.ndarray] = {}
        # Graphs are a thread's own: in another one, a variable is made outside of all that are
        # being traced here. Inside the body of a loop tf.init_scope does not do that.
        self._outside = ThreadPoolExecutor(1)

    def tensor(
        self, name: str, tag: str, array: np.ndarray, change: Callable[[np.ndarray], np.ndarray]
    ) -> Any:
        """``change(array)`` as a tensor. ``tag`` names the change: one variable for each."""
        if tf.executing_eagerly() or array.size <= SMALL or array.dtype.kind in "OSU":
            return tf.constant(change(array))
        key = self._key(f"{name}:{tag}" if tag else name, array)
        if key not in self.variables:
            made = np.ascontiguousarray(change(array))
            self.variables[key] = self._outside.submit(
                tf.Variable, made, trainable=False, name=safe_name(key)
            ).result()
        return tf.convert_to_tensor(self.variables[key])

    def _key(self, key: str, array: np.ndarray) -> str:
        """Names repeat between the bodies of functions; arrays are told apart by what they hold.

        Not by identity: a graph is traced twice, and what is folded is computed anew each time.
        """
        wanted, number = key, 1
        while not _same(self._arrays.setdefault(wanted, array), array):
            number += 1
            wanted = f"{key}.{number}"
        return wanted


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    if one is other:
        return True
    alike = one.shape == other.shape and one.dtype == other.dtype
    return alike and one.tobytes() == other.tobytes()


def safe_name(text: str) -> str:
    """A name that TensorFlow takes for an operation, a variable or an argument."""
    made = re.sub(r"[^A-Za-z0-9_]", "_", text)
    return made if made[:1].isalpha() else f"t_{made}"
