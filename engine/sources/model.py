"""What recognising works on and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.types import Listing, Signature, SignatureOrigin, Step

UNPACKED = "unpacked"
"""The folder below a task's output for what an archive held; gone when the task ends."""

Progress = Callable[[str, float | None], None]


@dataclass(frozen=True, slots=True)
class Found:
    """Bytes that were identified. ``name`` is what the person calls the file."""

    kind: str
    path: Path
    name: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the person said about it. ``config`` is the path of a transformers ``config.json``."""

    architecture: str | None = None
    config: Path | None = None
    signature: Signature | None = None

    def origin(self, otherwise: SignatureOrigin) -> SignatureOrigin:
        """Who said what the signature is: the person, if they did."""
        return "given" if self.signature else otherwise


@dataclass(frozen=True, slots=True)
class Recognised:
    """A model made runnable. ``path`` is the original, a file or folder below ``out/original``."""

    path: Path
    name: str
    kind: str
    format: str
    signature: Signature
    signature_origin: SignatureOrigin
    parameters: int | None
    op_histogram: Mapping[str, int]
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    lineage: tuple[Step, ...] = ()
    variant: str = ""
    """What tells the file from others of its format, where it says so itself."""
    listings: tuple[Listing, ...] = ()
    """Everything the file says of itself, where that is more than facts."""
    barred: str = ""
    """Why it was looked at and cannot be run; empty where it runs."""
