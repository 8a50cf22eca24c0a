"""What each chart says, in a sentence: the text alternative on the page and in the HTML alike."""

from __future__ import annotations

from dataclasses import dataclass

from engine.reports import words
from engine.reports.variants import BlockFigure, VariantFigures


@dataclass(frozen=True, slots=True)
class Takeaways:
    """One sentence a chart; empty where there is no such chart."""

    latency: str
    distribution: str
    memory: str
    order: str


def takeaways(variants: tuple[VariantFigures, ...], blocks: tuple[BlockFigure, ...]) -> Takeaways:
    """The sentences of a report's charts."""
    if not variants:
        return Takeaways("", "", "", "")
    return Takeaways(
        latency=_latency(variants),
        distribution=_distribution(variants),
        memory=_memory(variants),
        order=_order(variants, blocks),
    )


def _latency(variants: tuple[VariantFigures, ...]) -> str:
    parts = [f"{v.name} {words.percentile(v.p50)} ms" for v in variants]
    return f"Median latency with 95 % intervals: {'; '.join(parts)}."


def _distribution(variants: tuple[VariantFigures, ...]) -> str:
    parts = []
    for v in variants:
        tail = "" if v.p90.value is None else f", nine in ten within {words.number(v.p90.value)}"
        parts.append(f"{v.name} half within {words.number(v.typical_ms)} ms{tail}")
    return f"Share of inferences that took at most a given time: {'; '.join(parts)}."


def _memory(variants: tuple[VariantFigures, ...]) -> str:
    weighed = [v for v in variants if v.memory_mib is not None]
    if not weighed:
        return ""
    parts = [f"{v.name} {words.number(v.memory_mib or 0)} MiB" for v in weighed]
    return f"Peak memory above the imported framework: {'; '.join(parts)}."


def _order(variants: tuple[VariantFigures, ...], blocks: tuple[BlockFigure, ...]) -> str:
    discarded = len({block.round for block in blocks if block.discarded})
    rounds = len({block.round for block in blocks})
    worst = max(variants, key=lambda v: v.between or 0)
    return (
        f"{len(blocks)} processes in {rounds} rounds, {discarded} discarded; the medians of "
        f"{worst.name} spread most, by {words.share(worst.between or 0, 1)}."
    )
