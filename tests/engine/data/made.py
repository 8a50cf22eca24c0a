"""Data as people bring it, and the model it is for."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np

from engine.data.opening import open_file
from engine.data.prepare import Prepared, prepare
from engine.types import Artifact, Scalar, Signature, TensorSpec

PICTURES = Signature(
    (TensorSpec("image", "float32", ("batch", 3, 6, 6)),),
    (TensorSpec("logits", "float32", ("batch", 4)),),
)
PAIRS = Signature(
    (
        TensorSpec("left", "float32", ("batch", 2)),
        TensorSpec("right", "int64", ("batch", "length"), low=0, high=9),
    ),
    (TensorSpec("y", "float32", ("batch", 2)),),
)


def model(signature: Signature) -> Artifact:
    return Artifact("m", "onnx", Path("m.onnx"), "0" * 64, 1, signature)


def pictures(count: int = 12, seed: int = 0) -> np.ndarray:
    """Random images, [count, 3, 6, 6]."""
    return np.random.default_rng(seed).random((count, 3, 6, 6), np.float32)


def prepared(file: Path, signature: Signature, out: Path, **recipe: Scalar) -> Prepared:
    """A file brought as data, as the task brings it."""
    with ExitStack() as held:
        source = open_file(file, file.name, model(signature), recipe, held)
        return prepare(source, signature, out, lambda *_: None)
