"""How quiet the machine was while it measured: what the kernel and a fixed piece of work said."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from engine.bench.evidence import DRIFT_LIMIT, STALL_LIMIT
from engine.bench.model import Block
from engine.reports import words
from engine.reports.model import Report
from engine.reports.sections.model import Plot, Section, Series
from engine.reports.tables import Table

PLACE = 90
_MS = 1e6


def section(report: Report) -> Section | None:
    """Every process in the order it ran, with what disturbed it; those discarded among them."""
    if report.measurement is None or not report.measurement.blocks:
        return None
    blocks = report.measurement.blocks
    labels = {v.key: v.label for v in report.measurement.plan.variants}
    return Section(
        name="rest",
        title="How quiet the machine was",
        caption="A fixed piece of work before and after every process, and the share of its time "
        "in which something waited for a CPU: both should be flat.",
        plots=(_canary(blocks), _waiting(blocks)),
        table=Table(
            "Around every process",
            (
                *("Process", "Round", "Variant", "Fixed work before, ms", "After, ms"),
                *("Something waited", "Taken by the hypervisor", "CPUs others used", "Discarded"),
            ),
            tuple(
                _row(place, block, labels[block.variant])
                for place, block in enumerate(blocks, start=1)
            ),
            f"A round is discarded where fixed work drifts by more than {words.share(DRIFT_LIMIT)} "
            f"within a process, or something waited more than {words.share(STALL_LIMIT)} of the "
            "time while others used a CPU.",
        ),
        folded=True,
    )


def _canary(blocks: Sequence[Block]) -> Plot:
    places = tuple(float(place) for place in range(1, len(blocks) + 1))
    before = tuple(block.canary_ns[0] / _MS for block in blocks)
    after = tuple(block.canary_ns[1] / _MS for block in blocks)
    middle, both = median((*before, *after)), (*before, *after)
    return Plot(
        "points",
        "Process, as it ran",
        "Fixed work, ms",
        (Series("before the process", 0, places, before), Series("after it", 1, places, after)),
        f"Fixed work took {words.number(middle)} ms in the middle, "
        f"{words.number(min(both))} to {words.number(max(both))} ms in all.",
    )


def _waiting(blocks: Sequence[Block]) -> Plot:
    places = tuple(float(place) for place in range(1, len(blocks) + 1))
    waited = tuple(None if b.psi_share is None else 100 * b.psi_share for b in blocks)
    known = [value for value in waited if value is not None]
    said = (
        f"Something waited for a CPU {words.number(max(known))} % of the time at most"
        if known
        else "The kernel does not tell whether anything waited for a CPU"
    )
    limit = Series(
        "limit, where others used a CPU",
        1,
        (places[0], places[-1]),
        (100 * STALL_LIMIT,) * 2,
        dashed=True,
    )
    return Plot(
        "points",
        "Process, as it ran",
        "Something waited, %",
        (Series("share of its time", 0, places, waited), limit),
        f"{said}; {sum(bool(b.discarded) for b in blocks)} of {len(blocks)} processes belong to "
        "discarded rounds.",
    )


def _row(place: int, block: Block, label: str) -> tuple[str, ...]:
    before, after = block.canary_ns
    return (
        str(place),
        str(block.round + 1),
        label,
        words.number(before / _MS),
        words.number(after / _MS),
        _share(block.psi_share),
        _share(block.steal_share),
        "not told" if block.others_cpus is None else f"{block.others_cpus:.2f}",
        block.discarded or "",
    )


def _share(value: float | None) -> str:
    return "not told" if value is None else words.share(value, 1)
