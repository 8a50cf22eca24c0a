"""Importance matrices: how much passes through each column of each weight, as llama.cpp keeps it.

The file is llama.cpp's own (``llama-imatrix -o imatrix.gguf`` writes it, ``llama-quantize
--imatrix`` reads it): for every weight the sums of the squares of what goes into it, and counts.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.errors import InvalidModel
from engine.files import disk_errors
from engine.formats.gguf.file import MAGIC, Array, Header, Tensor, read

KIND = "imatrix"
"""``general.type`` of such a file."""
_SUMS, _COUNTS = ".in_sum2", ".counts"
_U32, _TEXT, _ARRAY, _F32 = 4, 8, 9, 0
_VERSION, _ALIGNMENT = 3, 32


@dataclass(frozen=True, slots=True)
class Importance:
    """Of one weight: ``sums`` of squares, float32 [matrices, columns], from ``counts`` tokens.

    A weight of experts is several matrices, each with a count of its own.
    """

    sums: np.ndarray
    counts: np.ndarray

    @property
    def means(self) -> np.ndarray:
        """What the quantizer takes, float32: where no token passed, every column counts alike."""
        counts = self.counts[:, None].astype(np.float32)
        seen = np.divide(self.sums, counts, out=np.ones_like(self.sums), where=counts > 0)
        return np.ascontiguousarray(seen.ravel(), np.float32)


@dataclass(frozen=True, slots=True)
class ImportanceMatrix:
    """All of a model, by the weight's name, and what it was seen on: ``chunks`` of ``length``."""

    weights: Mapping[str, Importance]
    text: str
    chunks: int
    length: int


def write_matrix(matrix: ImportanceMatrix, path: Path) -> None:
    """Write llama.cpp's file, the same bytes for the same matrix."""
    tensors = [pair for name in sorted(matrix.weights) for pair in _pair(name, matrix)]
    entries = [
        _entry("general.type", _TEXT, _text(KIND)),
        _entry("imatrix.datasets", _ARRAY, struct.pack("<IQ", _TEXT, 1) + _text(matrix.text)),
        _entry("imatrix.chunk_count", _U32, struct.pack("<I", matrix.chunks)),
        _entry("imatrix.chunk_size", _U32, struct.pack("<I", matrix.length)),
    ]
    head = MAGIC + struct.pack("<IQQ", _VERSION, len(tensors), len(entries)) + b"".join(entries)
    place = 0
    for name, values in tensors:
        shape = struct.pack("<IQQ", 2, values.shape[1], values.shape[0])
        head += _text(name) + shape + struct.pack("<IQ", _F32, place)
        place += _padded(values.nbytes)
    with disk_errors(), path.open("wb") as file:
        file.write(head.ljust(_padded(len(head)), b"\0"))
        for _, values in tensors:
            file.write(values.astype("<f4").tobytes().ljust(_padded(values.nbytes), b"\0"))


def read_matrix(path: Path) -> ImportanceMatrix:
    """What the file holds. Raises InvalidModel where it is no whole importance matrix."""
    header = read(path)
    tensors = {tensor.name: tensor for tensor in header.tensors}
    if header.text("general.type") != KIND or not tensors:
        raise _no_matrix("it holds something else")
    weights = {}
    for name in (name.removesuffix(_SUMS) for name in tensors if name.endswith(_SUMS)):
        counts = tensors.get(f"{name}{_COUNTS}")
        if counts is None:
            raise _no_matrix(f"the counts of {name!r} are missing")
        sums, seen = _values(path, header, tensors[name + _SUMS]), _values(path, header, counts)
        if len(seen) != len(sums) or not np.isfinite(sums).all():
            raise _no_matrix(f"the values of {name!r} are not all there")
        weights[name] = Importance(sums, np.rint(seen[:, 0]).astype(np.int64))
    texts = header.metadata.get("imatrix.datasets")
    text = str(texts.head[0]) if isinstance(texts, Array) and texts.head else ""
    chunks, length = (header.number(f"imatrix.chunk_{what}") or 0 for what in ("count", "size"))
    return ImportanceMatrix(weights, text, chunks, length)


def _values(path: Path, header: Header, tensor: Tensor) -> np.ndarray:
    """float32 [matrices, columns]."""
    if tensor.block.name != "F32" or len(tensor.shape) != 2:
        raise _no_matrix(f"{tensor.name!r} is not stored as it should be")
    found = np.fromfile(path, "<f4", tensor.weights, offset=header.end + tensor.offset)
    return found.reshape(tensor.shape)


def _pair(name: str, matrix: ImportanceMatrix) -> tuple[tuple[str, np.ndarray], ...]:
    found = matrix.weights[name]
    counts = found.counts.astype(np.float32)[:, None]
    return (f"{name}{_SUMS}", found.sums), (f"{name}{_COUNTS}", counts)


def _entry(key: str, kind: int, value: bytes) -> bytes:
    return _text(key) + struct.pack("<I", kind) + value


def _text(words: str) -> bytes:
    data = words.encode()
    return struct.pack("<Q", len(data)) + data


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _no_matrix(why: str) -> InvalidModel:
    return InvalidModel(
        f"This is no importance matrix: {why}.",
        hint="llama.cpp's llama-imatrix writes one, and so does Assay beside what it quantizes.",
    )
