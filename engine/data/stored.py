"""A data set as it lies on the disk, and one part of it as samples.

A folder of ``<n>.npy`` (the n-th input, one row a sample), ``parts.npy`` (to which part each
belongs), ``hashes.npy`` (the sha256 of each), ``labels.npy`` and ``texts.jsonl`` where there are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np

from engine.data.model import PARTS, Dataset, Part
from engine.data.rows import read_rows
from engine.errors import NotFound
from engine.feeds import under_names
from engine.types import Feed, Signature, TensorSpec

PARTS_FILE, HASHES, LABELS, TEXTS = "parts.npy", "hashes.npy", "labels.npy", "texts.jsonl"
THUMBNAILS = "seen.png"
"""The first images as the model sees them."""


@dataclass(frozen=True, slots=True)
class StoredSamples:
    """One part of a data set, under the input names of ``signature``."""

    path: Path
    part: Part
    signature: Signature
    inputs: tuple[TensorSpec, ...]
    name: str
    origin: Literal["given", "random"] = "given"

    @property
    def count(self) -> int:
        """How many samples this part has."""
        return len(self._rows())

    def feeds(self) -> Iterator[Feed]:
        """One sample after the other, as a batch of one (or of the batch the model is fixed to)."""
        rows = self._rows()
        columns = [read_rows(self.path / f"{at}.npy", rows) for at in range(len(self.inputs))]
        for row in zip(*columns, strict=True):
            given = {spec.name: array for spec, array in zip(self.inputs, row, strict=True)}
            named = under_names(given, [spec.name for spec in self.signature.inputs])
            yield {
                spec.name: batched(named[spec.name], spec, self.signature)
                for spec in self.signature.inputs
            }

    def batch(self, size: int) -> Feed:
        """The first ``size`` samples in one feed (fewer where there are fewer)."""
        alone = list(islice(self.feeds(), size if self.signature.batch_symbol else 1))
        return {
            spec.name: np.concatenate([feed[spec.name] for feed in alone])
            if has_batch(spec, self.signature)
            else alone[0][spec.name]
            for spec in self.signature.inputs
        }

    def labels(self) -> np.ndarray | None:
        """The class of each sample of this part."""
        path = self.path / LABELS
        if not path.is_file():
            return None
        found: np.ndarray = np.load(path, allow_pickle=False)[self._rows()]
        return found

    def texts(self) -> Iterator[str]:
        """The pieces of text of this part."""
        path = self.path / TEXTS
        if not path.is_file():
            return
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                piece = json.loads(line)
                if piece["part"] == self.part:
                    yield piece["text"]

    def hashes(self) -> tuple[str, ...]:
        """The sha256 of each sample of this part."""
        return tuple(
            row.tobytes().hex()
            for row in np.load(self.path / HASHES, allow_pickle=False)[self._rows()]
        )

    def _rows(self) -> list[int]:
        parts = np.load(self.path / PARTS_FILE, allow_pickle=False)
        return [int(row) for row in np.flatnonzero(parts == PARTS.index(self.part))]


def samples_of(data: Dataset, part: Part, signature: Signature) -> StoredSamples:
    """A part of a data set, for an artifact of the model it was made for. Raises NotFound."""
    if not data.path.is_dir():
        raise NotFound(
            f"The files of the data {data.name!r} are gone.", hint="Bring the data again."
        )
    return StoredSamples(data.path, part, signature, data.inputs, data.name)


def has_batch(spec: TensorSpec, signature: Signature) -> bool:
    """Whether the first axis of this input counts samples."""
    first = signature.inputs[0].shape
    return bool(spec.shape and first and spec.shape[0] == first[0])


def batched(sample: np.ndarray, spec: TensorSpec, signature: Signature) -> np.ndarray:
    """A sample as the input that the model takes: alone, or as often as a fixed batch wants it."""
    array = sample.astype(spec.dtype, copy=False)
    if not has_batch(spec, signature):
        return array
    size = spec.shape[0]
    return np.repeat(array[None], size if isinstance(size, int) else 1, axis=0)
