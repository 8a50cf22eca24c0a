"""Our own texts, and the rule that no sentence is used twice: what a model was made from, or tuned
on, must not judge it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_HOME = Path(__file__).parent
_SHIPPED = ("samples/text/lessons.txt", "samples/text/stories.txt")
_HELD_OUT = "verify/held_out.txt"
_SENTENCE = re.compile(r"[^.!?\n]*[.!?\n]*\s*")
_FEWEST_WORDS = 4
"""Shorter sentences are anybody's."""


def shipped() -> str:
    """What our language samples know, and what weights are weighed on: lessons and stories."""
    return "\n".join((_HOME / name).read_text(encoding="utf-8") for name in _SHIPPED)


def held_out() -> str:
    """The text that language models are judged on: in no sample's training."""
    return (_HOME / _HELD_OUT).read_text(encoding="utf-8")


def hashes(text: str) -> frozenset[str]:
    """The sha256 of every sentence, whatever its case and spaces; very short ones are left out."""
    return frozenset(filter(None, map(_hash, _SENTENCE.findall(text))))


def without(texts: Iterable[str], judging: frozenset[str]) -> Iterator[str]:
    """The texts without the sentences whose hash is among ``judging``; nothing else changes."""
    for text in texts:
        kept = [part for part in _SENTENCE.findall(text) if _hash(part) not in judging]
        if any(part.strip() for part in kept):
            yield "".join(kept)


def _hash(sentence: str) -> str:
    """Empty for a sentence of too few words."""
    words = re.findall(r"\w+", sentence.lower())
    if len(words) < _FEWEST_WORDS:
        return ""
    return hashlib.sha256(" ".join(words).encode()).hexdigest()
