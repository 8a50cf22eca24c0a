"""The memory of every variant at the end of each phase, as the kernel counts it."""

from __future__ import annotations

from engine.bench.model import MemoryPhase
from engine.reports.model import Report
from engine.reports.sections.memory import ranged, times
from engine.reports.sections.model import Section
from engine.reports.tables import Table
from engine.reports.variants import VariantFigures, variant_figures

PLACE = 21
PHASES = {"import": "Import", "load": "Load", "first": "First inference", "steady": "Steady"}
_COLUMNS = {
    "peak_bytes": "Peak",
    "resident_bytes": "Resident",
    "anon_bytes": "Anonymous",
    "file_bytes": "File-mapped",
    "shared_bytes": "Shared memory",
    "pss_bytes": "PSS",
    "uss_bytes": "USS",
}


def section(report: Report) -> Section | None:
    """A row for each variant and phase; None where nothing was weighed phase by phase."""
    weighed = () if report.measurement is None else report.measurement.memory
    rows = tuple(
        _cells(variant, label, found)
        for variant in variant_figures(report)
        for name, label in PHASES.items()
        if (
            found := [
                phase
                for one in weighed
                if one.variant == variant.key
                for phase in one.phases
                if phase.name == name
            ]
        )
    )
    if not rows:
        return None
    return Section(
        name="memory-phases",
        title="Memory, phase by phase",
        caption="What the process of a variant holds when each phase ends, and the most it held "
        "meanwhile. In MiB: medians, and in brackets from where to where.",
        plots=(),
        table=Table(
            "Memory phase by phase, in MiB",
            ("Variant", "Phase", *_COLUMNS.values(), "Processes", "Inferences", "Measured"),
            rows,
            "All of it is of the process and those it started. Peak: the kernel's VmHWM, begun "
            "anew with each phase; of a process that was started, since its start. Resident is "
            "anonymous, file-mapped and shared memory together. PSS counts a page that several "
            "processes share by its share, USS counts none of these.",
        ),
        folded=True,
    )


def _cells(variant: VariantFigures, label: str, found: list[MemoryPhase]) -> tuple[str, ...]:
    processes = sorted({phase.processes for phase in found})
    calls = sorted({phase.calls for phase in found})
    return (
        variant.name,
        label,
        *(ranged([getattr(phase, field) for phase in found]) for field in _COLUMNS),
        _span(processes),
        _span(calls),
        times(len(found)),
    )


def _span(counts: list[int]) -> str:
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
