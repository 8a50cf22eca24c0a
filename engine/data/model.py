"""What data is to everything that reads it: samples, one after the other, never all at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Protocol

import numpy as np

from engine.types import Feed


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
