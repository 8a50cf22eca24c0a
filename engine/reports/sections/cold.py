"""From the start of a process to its first answer, phase by phase."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from engine.bench.observations import ColdStart
from engine.reports import words
from engine.reports.model import Report
from engine.reports.sections.model import Plot, Section, Series
from engine.reports.tables import Table
from engine.reports.variants import VariantFigures, variant_figures

PLACE = 10
PHASES = {"start_s": "Start", "import_s": "Import", "load_s": "Load", "first_s": "First inference"}
_MIB = 1024**2
_KINDS = {False: "in the cache", True: "from storage"}


def section(report: Report) -> Section | None:
    """Medians over the processes of every variant, with its file in the cache and without."""
    if report.measurement is None or not report.measurement.cold:
        return None
    found = report.measurement.cold
    rows = [
        (variant, evicted, own)
        for variant in variant_figures(report)
        for evicted in _KINDS
        if (own := [c for c in found if (c.variant, c.evicted) == (variant.key, evicted)])
    ]
    return Section(
        name="cold",
        title="Cold start",
        caption="From the start of a fresh process to its first answer, in seconds: medians. "
        "Above, the file was in the system's page cache; below, it had to be read from storage.",
        plots=(_plot(rows),),
        table=Table(
            "Cold start in seconds",
            (
                *("Variant", "File", *PHASES.values(), "Together", "Fastest to slowest"),
                *("Read from storage, MiB", "Processes"),
            ),
            tuple(_row(*row) for row in rows),
            "Start: the interpreter and Assay's own worker, in its sandbox. Together is the median "
            "of the sums, which is not the sum of the medians. The file alone is dropped from this "
            "system's page cache, not the framework; on a virtual machine the host's cache stays.",
        ),
    )


Rows = Sequence[tuple[VariantFigures, bool, list[ColdStart]]]


def _plot(rows: Rows) -> Plot:
    names = tuple(f"{variant.name}, {_KINDS[evicted]}" for variant, evicted, _ in rows)
    series = tuple(
        Series(
            label, place, names, tuple(median(getattr(c, phase) for c in own) for *_, own in rows)
        )
        for place, (phase, label) in enumerate(PHASES.items())
    )
    warm = [(variant.name, _together(own)) for variant, evicted, own in rows if not evicted]
    quickest, slowest = min(warm, key=lambda one: one[1]), max(warm, key=lambda one: one[1])
    alt = f"{quickest[0]} answers first, {words.seconds(quickest[1])} after its start"
    if slowest[0] != quickest[0]:
        alt += f"; {slowest[0]} is last, after {words.seconds(slowest[1])}"
    return Plot("stacked", "Seconds", "", series, f"{alt} (file in the cache).")


def _row(variant: VariantFigures, evicted: bool, own: list[ColdStart]) -> tuple[str, ...]:
    read = [c.read_bytes / _MIB for c in own if c.read_bytes is not None]
    sums = [_sum(c) for c in own]
    return (
        variant.name,
        _KINDS[evicted],
        *(words.seconds(median(getattr(c, phase) for c in own)) for phase in PHASES),
        words.seconds(_together(own)),
        f"{words.seconds(min(sums))} to {words.seconds(max(sums))}",
        words.number(median(read)) if read else "not told",
        str(len(own)),
    )


def _together(own: list[ColdStart]) -> float:
    return median(map(_sum, own))


def _sum(start: ColdStart) -> float:
    return start.start_s + start.import_s + start.load_s + start.first_s
