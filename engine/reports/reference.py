"""The founding document's table beside this measurement. Two machines, so never one series.

What may be compared across machines is how the formats stand to each other on each.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.bench.stats import UNDECIDED, Ratio
from engine.knowledge import ReferenceTable, reference_tables
from engine.reports import words
from engine.reports.comparable import Pair, comparability, matches, pairs
from engine.reports.model import Report
from engine.reports.tables import Table
from engine.reports.variants import VariantFigures

_ALIKE = 0.10
_ABSENT = "–"


@dataclass(frozen=True, slots=True)
class ReferenceRow:
    """One row of the printed table, and what this machine has beside it. Latencies in ms.

    ``reference_ratio`` is the speed against the printed table's own first row; ``measured_ratio``
    against the original measured here.
    """

    label: str
    reference_ms: float | None
    reference_ratio: float | None
    measured_name: str | None
    measured_ms: float | None
    measured_ratio: Ratio | None
    sentence: str


@dataclass(frozen=True, slots=True)
class ReferenceFigures:
    """A printed table that fits the device. ``same_model`` says whether it fits the model too.

    ``pairs``: every two formats measured on both sides, of the same model alone. ``comparable``
    scores each measured row, None without one.
    """

    title: str
    hardware: str
    model: str
    same_model: bool
    rows: tuple[ReferenceRow, ...]
    table: Table
    pairs: tuple[Pair, ...]
    comparable: Table | None

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is said of two formats at a time; for another model, of each gain as a pattern."""
        if self.pairs:
            return tuple(pair.sentence for pair in self.pairs)
        return tuple(row.sentence for row in self.rows if row.sentence)


def references(
    report: Report, variants: tuple[VariantFigures, ...]
) -> tuple[ReferenceFigures, ...]:
    """Every printed table with CPU latencies, the ones of this very model first."""
    found = (
        _beside(report, variants, table, column.id, column.hardware)
        for table in reference_tables()
        for column in table.columns
        if column.quantity == "latency" and column.device == "cpu"
    )
    return tuple(sorted(found, key=lambda figures: not figures.same_model))


def _beside(
    report: Report,
    variants: tuple[VariantFigures, ...],
    table: ReferenceTable,
    column: str,
    hardware: str | None,
) -> ReferenceFigures:
    same = _plain(table.model) in _plain(report.model.name)
    changed = {artifact.id for artifact in report.artifacts if artifact.passes}
    plain = [v for v in variants if v.artifact_id not in changed]
    here = {v.format: v for v in reversed(plain) if v.batch == (table.batch or v.batch)}
    baseline = table.rows[0]
    original = here.get(baseline.format)
    comparable = original is not None and original.is_original
    named = hardware or "unnamed hardware"
    rows, both, scored = [], [], []
    for row in table.rows:
        printed = row.values.get(column)
        against = None if row is baseline else _quotient(baseline.values.get(column), printed)
        measured = here.get(row.format) if row.precision is None else None
        both.append((row.label, printed, measured))
        if measured is not None and printed is not None:
            shared = matches(report, table, row.precision, hardware, measured.batch)
            scored.append((row.label, shared))
        ratio = measured.ratio if measured is not None and comparable else None
        rows.append(
            ReferenceRow(
                label=row.label,
                reference_ms=printed,
                reference_ratio=against,
                measured_name=measured.name if measured else None,
                measured_ms=measured.typical_ms if measured else None,
                measured_ratio=ratio,
                sentence=_sentence(row.label, against, ratio),
            )
        )
    return ReferenceFigures(
        title=table.title,
        hardware=named,
        model=table.model,
        same_model=same,
        rows=tuple(rows),
        table=_as_table(table, named, tuple(rows), same),
        pairs=pairs(report, both) if same and variants else (),
        comparable=comparability(table.title, scored) if scored else None,
    )


def _sentence(label: str, printed: float | None, measured: Ratio | None) -> str:
    """How the gain here stands to the gain that was printed."""
    if printed is None or measured is None:
        return ""
    says = f"printed {printed:.2f}×, here {words.times(measured)}"
    if measured.verdict in ("inconclusive", UNDECIDED):
        return f"{label}: too uncertain here to hold against the table ({says})."
    alike = abs(measured.value / printed - 1) <= _ALIKE
    if alike or measured.low <= printed <= measured.high:
        return f"{label} gains here what the table says ({says})."
    more = "more" if measured.value > printed else "less"
    return f"{label} gains {more} here than the table says ({says})."


def _as_table(
    table: ReferenceTable, hardware: str, rows: tuple[ReferenceRow, ...], same: bool
) -> Table:
    model = "the same model" if same else f"another model ({table.model})"
    return Table(
        f"{table.title}: reference and measured",
        (
            "Row of the table",
            f"Reference, ms ({hardware})",
            "Reference, speed against its first row",
            "Measured, ms",
            "Measured, speed against the original",
        ),
        tuple(
            (
                row.label,
                _or_absent(row.reference_ms),
                f"{row.reference_ratio:.2f}×" if row.reference_ratio else _ABSENT,
                _or_absent(row.measured_ms),
                words.times(row.measured_ratio) if row.measured_ratio else _ABSENT,
            )
            for row in rows
        ),
        f"The reference was taken on another machine with {model}. {table.note or ''} "
        "Compare the speeds within each machine, not the milliseconds across.",
    )


def _quotient(first: float | None, second: float | None) -> float | None:
    return first / second if first and second else None


def _or_absent(value: float | None) -> str:
    return _ABSENT if value is None else words.number(value)


def _plain(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum())
