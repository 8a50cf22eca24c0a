"""What every kind of data becomes first: samples with their labels, read one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from engine.data.model import Kind, Part


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample: an array for every input, without the batch axis.

    ``where`` names it to a person; ``part`` is set where it is known what it may be used for.
    """

    arrays: Mapping[str, np.ndarray]
    where: str
    label: int | None = None
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Samples about to be read. ``count`` and ``texts`` (piece, part) as far as they are known."""

    kind: Kind
    name: str
    samples: Iterator[Sample]
    count: int
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    texts: tuple[tuple[str, Part], ...] = field(default=())
