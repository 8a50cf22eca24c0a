"""Samples drawn at random: what there is when nobody gave any."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.types import Feed, Signature
from engine.verify.inputs import feed

RANDOM = "random values"
"""What drawn samples are called, in an artifact's steps too."""


@dataclass(frozen=True, slots=True)
class DrawnSamples:
    """Seeded values in the signature's range. Figures from them mean little, and say so."""

    signature: Signature
    count: int = 100
    seed: int = 1
    name: str = RANDOM
    origin: Literal["given", "random"] = "random"

    def feeds(self) -> Iterator[Feed]:
        """``count`` batches of one; each has a seed of its own."""
        for index in range(self.count):
            yield feed(self.signature, "random", 1, self.seed + index)

    def batch(self, size: int) -> Feed:
        """One batch of ``size``; of what the model takes, where its batch is fixed or none."""
        return feed(self.signature, "random", size, self.seed)

    def labels(self) -> np.ndarray | None:
        """Nobody knows the class of a random sample."""
        return None

    def texts(self) -> Iterator[str]:
        """No text is drawn."""
        return iter(())
