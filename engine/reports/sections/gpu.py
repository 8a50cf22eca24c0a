"""Variants that run on a GPU: the GPU's own clock beside ours, its memory, and its pace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from engine.bench import nvml, stats
from engine.bench.model import GpuUse
from engine.bench.verdicts import kept
from engine.reports import words
from engine.reports.model import Report
from engine.reports.sections.memory import ABSENT, ranged
from engine.reports.sections.model import Section
from engine.reports.tables import Table
from engine.reports.variants import VariantFigures, variant_figures

PLACE = 8
_MS = 1e6


def section(report: Report) -> Section | None:
    """A row for each variant that ran on a GPU; None where none did."""
    if report.measurement is None:
        return None
    rows: list[tuple[str, ...]] = []
    notes: list[str] = []
    for variant in variant_figures(report):
        blocks = kept(report.measurement.blocks, variant.key)
        uses = [block.gpu for block in blocks if block.gpu]
        if uses:
            rows.append(_cells(variant, uses))
            notes += _notes(variant.name, uses)
    if not rows:
        return None
    return Section(
        name="gpu",
        title="On the GPU",
        caption="Two clocks: how long an inference takes on the GPU alone, and how long it takes "
        "from inputs in the host's memory to an answer there.",
        plots=(),
        table=Table(
            "On the GPU",
            (
                *("Variant", "On the GPU alone, ms", "Host to host, ms", "Share on the GPU"),
                *("Memory of the process, MiB", "Taken on the card, MiB", "Clock, MHz"),
                "Processes",
            ),
            tuple(rows),
            "Both times are medians with 95 % intervals over processes. On the GPU alone: between "
            "two CUDA events around the inference, without the copies to the card and back; one "
            "inference of each sample. Taken on the card: in use on it after the last sample less "
            "what was before the model was loaded, which counts what others took meanwhile. Clock: "
            "of the multiprocessors, before the first sample and after the last.",
        ),
        notes=tuple(notes),
    )


def _cells(variant: VariantFigures, uses: Sequence[GpuUse]) -> tuple[str, ...]:
    compute = stats.percentile([np.array(one.compute_ns) / _MS for one in uses], 0.5)
    both = compute.value is not None and variant.p50.value is not None
    share = (compute.value or 0) / (variant.p50.value or 1)
    taken = [
        None
        if one.card_bytes is None or one.card_before_bytes is None
        else max(0, one.card_bytes - one.card_before_bytes)
        for one in uses
    ]
    return (
        variant.name,
        words.percentile(compute),
        words.percentile(variant.p50),
        words.share(share) if both else ABSENT,
        ranged([one.memory_bytes for one in uses]),
        ranged(taken),
        _clock(uses),
        f"{len(uses)}",
    )


def _clock(uses: Sequence[GpuUse]) -> str:
    found = [clock for one in uses for clock in one.clock_mhz]
    if not found:
        return ABSENT
    low, high = min(found), max(found)
    return f"{low}" if low == high else f"{low} to {high}"


def _notes(name: str, uses: Sequence[GpuUse]) -> Iterator[str]:
    for why in nvml.SLOWED.values():
        count = sum(why in one.slowed for one in uses)
        if count:
            yield (
                f"{name}: the GPU's clock was held back by {why} in {count} of {len(uses)} "
                "processes that count."
            )
    if all(one.memory_bytes is None for one in uses) and any(one.card_bytes for one in uses):
        yield (
            f"{name}: in sandbox tier A the driver knows the process by another number, and does "
            "not tell its memory; what was taken on the card is told."
        )
    if all(one.card_bytes is None for one in uses):
        yield f"{name}: the driver did not tell of memory (NVML is not there, or was not let in)."
