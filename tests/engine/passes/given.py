"""Samples that tests hand to passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.types import Feed


@dataclass(frozen=True)
class ListedSamples:
    """The feeds as they are listed."""

    listed: Sequence[Feed]
    name: str = "listed"
    origin: Literal["given", "random"] = "given"

    @property
    def count(self) -> int:
        return len(self.listed)

    def feeds(self) -> Iterator[Feed]:
        return iter(self.listed)

    def labels(self) -> np.ndarray | None:
        return None

    def texts(self) -> Iterator[str]:
        return iter(())
