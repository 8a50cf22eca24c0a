"""What is known about each format: its guide, its pitfalls, its recipes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from engine.knowledge.source import FOLDER, broken, read
from engine.records import parse

ORDER = ("onnx", "torchscript", "exported", "savedmodel", "gguf", "tensorrt")
STAR_WORDS = {1: "very low", 2: "low", 3: "medium", 4: "high", 5: "very high"}


@dataclass(frozen=True, slots=True)
class Stars:
    """The founding document's rating of a format, 1 (least) to 5 (most)."""

    optimization: int
    portability: int
    production_ready: int

    @property
    def in_words(self) -> dict[str, str]:
        """The ratings as words and numbers: ``{"Optimization": "medium (3 of 5)", …}``."""
        rated = {
            "Optimization": self.optimization,
            "Portability": self.portability,
            "Production ready": self.production_ready,
        }
        return {name: f"{STAR_WORDS[stars]} ({stars} of 5)" for name, stars in rated.items()}


@dataclass(frozen=True, slots=True)
class FormatGuide:
    """One format of the encyclopedia. ``stars`` is None where the founding document has no row.

    ``successor`` names the format that replaces a deprecated one; ``recipes`` are ids.
    """

    name: str
    label: str
    full_name: str
    best_for: str
    sentence: str
    stars: Stars | None
    use_cases: tuple[str, ...]
    specifications: Mapping[str, str]
    benefits: tuple[str, ...]
    limits: tuple[str, ...]
    status: str
    successor: str | None
    recipes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pitfall:
    """What goes wrong with a format, and what to do. ``origin``: ``founding`` or ``assay``."""

    id: str
    format: str
    origin: str
    title: str
    what: str
    do: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """Code to copy. ``after`` is the recipe whose file it reads; ``since`` what is new in it.

    ``unrun`` says why no test runs it; every other is run with the installed versions.
    """

    id: str
    title: str
    file: str
    language: str
    needs: tuple[str, ...]
    after: str | None
    since: str | None
    unrun: str | None

    @property
    def path(self) -> Path:
        """Where the code lies."""
        return FOLDER / "recipes" / self.file

    @property
    def code(self) -> str:
        """The code itself."""
        return self.path.read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class _Pitfalls:
    pitfalls: tuple[Pitfall, ...]


@dataclass(frozen=True, slots=True)
class _Recipes:
    recipes: tuple[Recipe, ...]


@cache
def format_guides() -> tuple[FormatGuide, ...]:
    """The guide of every format, in the founding document's order."""
    guides = tuple(
        parse(FormatGuide, read(f"formats/{name}.yaml", schema="format")) for name in ORDER
    )
    known = {recipe.id for recipe in list_recipes()}
    for guide in guides:
        for lost in set(guide.recipes) - known:
            raise broken(f"formats/{guide.name}.yaml", "recipes", f"no recipe {lost!r}")
    return guides


def format_guide(name: str) -> FormatGuide | None:
    """The guide of one format; None for a format that has none, such as eager PyTorch."""
    return next((guide for guide in format_guides() if guide.name == name), None)


@cache
def pitfalls() -> tuple[Pitfall, ...]:
    """Every pitfall of every format."""
    return parse(_Pitfalls, read("pitfalls.yaml")).pitfalls


@cache
def list_recipes() -> tuple[Recipe, ...]:
    """Every recipe. Raises EngineError when one names a file or a recipe that is not there."""
    found = parse(_Recipes, read("recipes.yaml")).recipes
    known = {recipe.id for recipe in found}
    for recipe in found:
        if not recipe.path.is_file():
            raise broken("recipes.yaml", f"{recipe.id}/file", f"no file recipes/{recipe.file}")
        if recipe.after is not None and recipe.after not in known:
            raise broken("recipes.yaml", f"{recipe.id}/after", f"no recipe {recipe.after!r}")
    return found


def format_label(name: str) -> str:
    """A format's name as a person writes it."""
    guide = format_guide(name)
    return guide.label if guide else name
