"""A finished walk as a document: what was decided, why, and what was ruled out."""

from __future__ import annotations

from collections.abc import Iterator

from engine.knowledge.guides import list_recipes, pitfalls
from engine.knowledge.reference import claims
from engine.knowledge.tree import Leaf, Walk


def export_decision(walk: Walk) -> str:
    """The walk as Markdown; without a leaf it ends at the open question."""
    return "\n".join((*_answers(walk), *(_leaf(walk, walk.leaf) if walk.leaf else _open(walk)), ""))


def _answers(walk: Walk) -> Iterator[str]:
    title = walk.leaf.title if walk.leaf else "not decided yet"
    yield f"# Deployment format: {title}"
    yield ""
    for step in walk.path:
        yield f"- {step.question.ask} **{step.answer.label}**"


def _open(walk: Walk) -> Iterator[str]:
    if walk.question:
        yield f"- {walk.question.ask} *open*"


def _leaf(walk: Walk, leaf: Leaf) -> Iterator[str]:
    yield from ("", leaf.recommendation, "", leaf.why)
    for note in leaf.notes:
        yield from ("", f"> {note}")
    yield from ("", "## Ruled out", "")
    for no in walk.rejected:
        yield f"- **{no.label}**: {no.reason}"
    yield from ("", "## What can go wrong", "")
    for trap in (p for p in pitfalls() if p.id in leaf.pitfalls):
        yield f"- **{trap.title}.** {trap.what} {trap.do}"
    promised = [claim for claim in claims() if claim.id in leaf.claims]
    if promised:
        yield from ("", "## To be tested", "")
        yield from (f"- {claim.text}" for claim in promised)
    for recipe in (r for r in list_recipes() if r.id in leaf.recipes):
        yield from (
            "",
            f"## {recipe.title}",
            "",
            f"```{recipe.language}",
            recipe.code.rstrip(),
            "```",
        )
