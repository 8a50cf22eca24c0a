"""The importance matrix a person asked for: from which text, what is said of it, where it lies."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine import processor, texts
from engine.errors import BadRequest
from engine.formats.gguf.importance import compute
from engine.formats.gguf.matrix import ImportanceMatrix, write_matrix
from engine.formats.gguf.quantizations import DATA, NO_MATRIX, GgufOptions, Quantization
from engine.registry import MATRIX, Given
from engine.types import Scalar

_FEW = 10_000
"""Tokens: with fewer, a matrix knows little of how the model is used."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A matrix, or none, and what is said of it in the lineage."""

    matrix: ImportanceMatrix | None = None
    told: Mapping[str, Scalar] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def beside(self) -> tuple[str, ...]:
        """What lies beside the artifact for it."""
        return (MATRIX,) if self.matrix else ()

    def variant(self, wanted: Quantization) -> str:
        """The type, and where it can do without a matrix, that it had one."""
        own = self.matrix is not None and not wanted.needs_matrix
        return f"{wanted.name} with matrix" if own else wanted.name


@dataclass(frozen=True, slots=True)
class _Text:
    """Pieces that can be read again and again; ``name`` is what a person calls them."""

    name: str
    pieces: Callable[[], Iterable[str]]


def weigh(
    model: Path, out: Path, wanted: Quantization, options: GgufOptions, given: Given | None
) -> Weighed:
    """Compute the matrix that the options ask for, and keep it beside ``out``.

    Raises BadRequest where there is no text to read, or too little of it.
    """
    if options.matrix == NO_MATRIX:
        return Weighed()
    if not wanted.weighs:
        return Weighed(notes=(f"{wanted.name} rounds alike with an importance matrix: none used.",))
    text = _yours(given) if options.matrix == DATA else _Text("Assay's own text", _ours)
    judging = texts.hashes(texts.held_out())

    def apart() -> Iterator[str]:
        return texts.without(text.pieces(), judging)

    before, size, digest = sum(map(len, text.pieces())), 0, hashlib.sha256()
    for piece in apart():
        size += len(piece)
        digest.update(piece.encode())
    if not size:
        raise BadRequest(
            "All of this text is what language models are judged on: it must not tune them too.",
            hint="Bring another text.",
        )
    matrix = compute(model, apart(), size, text.name, processor.cores(), _telling(given))
    write_matrix(matrix, out.with_name(MATRIX))
    tokens = matrix.chunks * matrix.length
    told: dict[str, Scalar] = {
        "importance matrix": text.name,
        "tokens": tokens,
        "text sha256": digest.hexdigest(),
    }
    return Weighed(matrix, told, tuple(_notes(tokens, before - size)))


def _notes(tokens: int, left_out: int) -> Iterator[str]:
    if tokens < _FEW:
        yield (
            f"The importance matrix saw {tokens:,} tokens: with fewer than {_FEW:,} it knows "
            "little of how the model is used."
        )
    if left_out:
        yield (
            f"{left_out:,} characters of the text were left out of the importance matrix: models "
            "are judged on those sentences."
        )


def _ours() -> Iterable[str]:
    return (texts.shipped(),)


def _yours(given: Given | None) -> _Text:
    """The text of the job's data. Raises BadRequest where there is none."""
    if given is None or next(iter(given.samples.texts()), None) is None:
        raise BadRequest(
            "An importance matrix from your text was asked for, and no text was given.",
            hint="Bring a text as data, or choose the text Assay ships (matrix=shipped).",
        )
    return _Text(given.samples.name, given.samples.texts)


def _telling(given: Given | None) -> Callable[[str, float], None]:
    """Nine tenths of the way is reading; the rest is quantizing."""

    def tell(message: str, fraction: float) -> None:
        if given is not None:
            given.progress(message, 0.05 + 0.85 * fraction)

    return tell
