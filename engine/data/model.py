"""What data is to everything that reads it: samples, one after the other, never all at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from engine.types import Feed, TensorSpec

Kind = Literal["arrays", "images", "table", "text"]
Part = Literal["calibration", "evaluation"]
PARTS: tuple[Part, ...] = ("calibration", "evaluation")
"""What a sample is for. Those that a pass reads never judge what came of it."""

RECOMMENDED = 100
"""So many samples to calibrate on, at least: fewer, and ranges are guessed."""
SCHEMA_VERSION = 1


class Samples(Protocol):
    """Samples that a pass reads. Every call of an iterator starts anew, in the same order."""

    @property
    def name(self) -> str:
        """What a person calls it."""
        ...

    @property
    def origin(self) -> Literal["given", "random"]:
        """Whether a person gave it, or it was drawn."""
        ...

    @property
    def count(self) -> int:
        """How many samples there are."""
        ...

    def feeds(self) -> Iterator[Feed]:
        """One sample after the other, each as a batch of one for every input of the model."""
        ...

    def labels(self) -> np.ndarray | None:
        """The class of each sample, an int64 array of ``count``; None where they are not known."""
        ...

    def texts(self) -> Iterator[str]:
        """Pieces of text, for language models; nothing where the samples are no text."""
        ...


@dataclass(frozen=True, slots=True)
class Channel:
    """What the values of one channel of an input are: the least, the mean, the largest."""

    input: str
    channel: int
    low: float
    mean: float
    high: float


@dataclass(frozen=True, slots=True)
class Dataset:
    """Samples made ready for one model: checked against its signature, split, kept as arrays.

    ``inputs`` are the inputs they fit; ``calibration`` and ``evaluation`` count the samples of
    each part, ``duplicates`` those left out; ``classes`` names the labels where they have names.
    ``path`` is the folder that ``engine.data.stored`` reads; ``sha256`` is over that folder.
    """

    id: str
    name: str
    kind: Kind
    model_id: str
    inputs: tuple[TensorSpec, ...]
    calibration: int
    evaluation: int
    duplicates: int
    labelled: bool
    classes: tuple[str, ...]
    channels: tuple[Channel, ...]
    notes: tuple[str, ...]
    sha256: str
    size_bytes: int
    path: Path
    created_at: str
    schema_version: int = SCHEMA_VERSION

    @property
    def count(self) -> int:
        """How many samples there are, both parts together."""
        return self.calibration + self.evaluation
