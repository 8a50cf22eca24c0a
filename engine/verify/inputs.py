"""The inputs a verification runs on: seeded, in range, the same on every machine. Numpy only."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal

import numpy as np

from engine.feeds import bind, symbol_sizes
from engine.types import Feed, Signature, TensorSpec

Kind = Literal["random", "zeros", "large"]

LARGE = 100.0
"""The spread of ``large`` values: far outside what a normalised input has, inside float16."""


def feed(
    signature: Signature,
    kind: Kind,
    batch: int,
    seed: int,
    *,
    sizes: Mapping[str, int] | None = None,
) -> dict[str, np.ndarray]:
    """One array per input. Rows of a smaller batch are the first rows of a larger one.

    Every input has a stream of its own, named by ``seed``, ``kind`` and the input, so that adding
    an input changes no other. ``sizes`` sets symbols other than the batch.
    """
    bound = {**symbol_sizes(signature, batch), **(sizes or {})}
    return {
        spec.name: _values(spec, bind(spec, bound), kind, _stream(seed, kind, spec.name))
        for spec in signature.inputs
    }


def hash_of(given: Feed) -> str:
    """sha256 over names, dtypes, shapes and bytes of a feed."""
    digest = hashlib.sha256()
    for name in sorted(given):
        array = np.ascontiguousarray(given[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _stream(seed: int, kind: str, name: str) -> np.random.Generator:
    digest = hashlib.sha256(f"{seed} {kind} {name}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "little")))


def _values(
    spec: TensorSpec, shape: tuple[int, ...], kind: Kind, stream: np.random.Generator
) -> np.ndarray:
    dtype = np.dtype(spec.dtype)
    if dtype == np.bool_:
        return np.zeros(shape, dtype) if kind == "zeros" else stream.random(shape) < 0.5
    if np.issubdtype(dtype, np.integer):
        return _integers(spec, shape, kind, stream).astype(dtype)
    if np.issubdtype(dtype, np.complexfloating):
        parts = stream.standard_normal((*shape, 2))
        return (parts[..., 0] + 1j * parts[..., 1]).astype(dtype)
    return _floats(spec, shape, kind, stream).astype(dtype)


def _integers(
    spec: TensorSpec, shape: tuple[int, ...], kind: Kind, stream: np.random.Generator
) -> np.ndarray:
    """Whole numbers in ``[low, high)``; ``large`` stays in the upper tenth of the range."""
    low = 0 if spec.low is None else int(spec.low)
    high = max(low + 1, low + 100 if spec.high is None else int(spec.high))
    if kind == "zeros":
        return np.full(shape, min(max(0, low), high - 1), np.int64)
    start = high - max(1, (high - low) // 10) if kind == "large" else low
    return stream.integers(start, high, shape)


def _floats(
    spec: TensorSpec, shape: tuple[int, ...], kind: Kind, stream: np.random.Generator
) -> np.ndarray:
    """Uniform in a known range, else normal; ``large`` goes to the range's edge, or to ±100s."""
    if spec.low is not None and spec.high is not None:
        if kind == "zeros":
            return np.full(shape, min(max(0.0, spec.low), spec.high))
        unit = stream.random(shape)
        return spec.low + (spec.high - spec.low) * (np.round(unit) if kind == "large" else unit)
    if kind == "zeros":
        return np.zeros(shape)
    return stream.standard_normal(shape) * (LARGE if kind == "large" else 1.0)
