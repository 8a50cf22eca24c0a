"""Samples that remember how many of them a pass has read: what an artifact says of its data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from engine.data.model import Samples
from engine.types import Feed

T = TypeVar("T")


@dataclass(slots=True)
class WatchedSamples:
    """The samples themselves; ``read`` counts the most that one walk through them took."""

    samples: Samples
    read: int = 0

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.samples.name

    @property
    def origin(self) -> Literal["given", "random"]:
        """Whether a person gave it, or it was drawn."""
        return self.samples.origin

    @property
    def count(self) -> int:
        """How many samples there are."""
        return self.samples.count

    def feeds(self) -> Iterator[Feed]:
        """One sample after the other."""
        return self._counted(self.samples.feeds())

    def labels(self) -> np.ndarray | None:
        """The class of each sample."""
        return self.samples.labels()

    def texts(self) -> Iterator[str]:
        """Pieces of text."""
        return self._counted(self.samples.texts())

    def _counted(self, items: Iterable[T]) -> Iterator[T]:
        for number, item in enumerate(items, 1):
            self.read = max(self.read, number)
            yield item
