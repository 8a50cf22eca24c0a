"""The founding document's own code blocks, and what becomes of them with today's versions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from engine.knowledge.guides import list_recipes
from engine.knowledge.source import broken, read
from engine.records import parse

FILE = "snippets.yaml"


@dataclass(frozen=True, slots=True)
class Snippet:
    """One code block. ``outcome`` is ``runs``, ``misleads`` (not what it says) or ``fails``.

    ``given`` stands before it and ``shows`` after it when it is run; ``says`` is what the tool
    answers, ``seen`` with which version, ``since`` when that began; ``recipes`` replace it.
    """

    id: str
    section: str
    language: str
    given: str | None
    code: str
    shows: str | None
    outcome: str
    says: str | None
    seen: str
    since: str | None
    now: str
    recipes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Snippets:
    snippets: tuple[Snippet, ...]


@cache
def list_snippets() -> tuple[Snippet, ...]:
    """Every code block, in the document's order. Raises EngineError for a lost recipe."""
    found = parse(_Snippets, read(FILE)).snippets
    known = {recipe.id for recipe in list_recipes()}
    for snippet in found:
        for lost in set(snippet.recipes) - known:
            raise broken(FILE, f"{snippet.id}/recipes", f"no recipe {lost!r}")
    return found
