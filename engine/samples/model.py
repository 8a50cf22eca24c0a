"""What a sample is, and what making one tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

SEED = 7
Progress = Callable[[str, float | None], None]


@dataclass(frozen=True, slots=True)
class Sample:
    """A model a person can start with. ``facts`` are known before it is made."""

    name: str
    label: str
    sentence: str
    facts: Mapping[str, str] = field(default_factory=dict)
    format: str = "torch"


@dataclass(frozen=True, slots=True)
class SampleModel:
    """What making a sample told: facts to show, and notes on how it came to be."""

    facts: Mapping[str, str]
    notes: tuple[str, ...]
