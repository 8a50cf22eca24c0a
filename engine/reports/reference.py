"""Published tables beside this measurement. Two machines, so never one series.

What may be compared across machines is how the formats stand to each other on each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.bench.stats import UNDECIDED, Ratio, adjusted
from engine.knowledge import ReferenceColumn, ReferenceTable, reference_tables
from engine.reports import words
from engine.reports.comparable import (
    Pair,
    comparability,
    matches,
    pairs,
    precision_of,
    side_by_side,
)
from engine.reports.model import Report
from engine.reports.observed import Observations, Observed, observed
from engine.reports.tables import Table
from engine.reports.variants import VariantFigures

_ALIKE = 0.10
_ABSENT = "–"
_UNNAMED = "unnamed hardware"


@dataclass(frozen=True, slots=True)
class BesideRow:
    """One row of the printed table, and what this machine has beside it, both in ``unit``.

    The ratios say how many times less it takes than the table's first row, printed and measured.
    """

    label: str
    printed: float | None
    printed_ratio: float | None
    measured: Observed | None
    measured_ratio: Ratio | None
    sentence: str


@dataclass(frozen=True, slots=True)
class BesideBar:
    """A bar of either panel. ``colour`` is the variant's; None where no variant stands beside."""

    label: str
    value: float
    ratio: float | None
    colour: int | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class ReferenceFigures:
    """One column of a printed table, where something of its kind was measured.

    ``same_model`` says whether it is of the same model. ``pairs``: every two rows measured on both
    sides, of the same model alone. ``comparable`` scores each measured row.
    """

    title: str
    source: str
    column: str
    unit: str
    hardware: str
    model: str
    same_model: bool
    rows: tuple[BesideRow, ...]
    table: Table
    pairs: tuple[Pair, ...]
    comparable: Table

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is said of two formats at a time; for another model, of each gain as a pattern."""
        if self.pairs:
            return tuple(pair.sentence for pair in self.pairs)
        return tuple(row.sentence for row in self.rows if row.sentence)

    @property
    def measured(self) -> tuple[BesideBar, ...]:
        """What was measured here, in the order of the rows."""
        return tuple(
            BesideBar(
                one.variant.name,
                one.value.value,
                row.measured_ratio.value if row.measured_ratio else None,
                one.variant.colour,
                one.value.low,
                one.value.high,
            )
            for row in self.rows
            if (one := row.measured) is not None and one.value.value is not None
        )

    @property
    def printed(self) -> tuple[BesideBar, ...]:
        """What the table prints, never in one panel with what was measured."""
        return tuple(
            BesideBar(
                row.label,
                row.printed,
                row.printed_ratio,
                row.measured.variant.colour if row.measured else None,
            )
            for row in self.rows
            if row.printed is not None
        )

    @property
    def takeaway(self) -> str:
        """What its chart says, in words."""
        said = " ".join(row.sentence for row in self.rows if row.sentence)
        return said or f"{self.column}, printed and measured, with no two rows to compare."


def references(
    report: Report, variants: tuple[VariantFigures, ...]
) -> tuple[ReferenceFigures, ...]:
    """Every printed column that something here stands beside, those of this very model first.

    Memory says something of the same model alone.
    """
    found = (
        _beside(report, variants, table, column)
        for table in reference_tables()
        for column in table.columns
        if report.measurement is not None and (column.quantity != "memory" or _is_of(report, table))
    )
    shown = (figures for figures in found if any(row.measured for row in figures.rows))
    return tuple(sorted(shown, key=lambda figures: not figures.same_model))


def _beside(
    report: Report,
    variants: tuple[VariantFigures, ...],
    table: ReferenceTable,
    column: ReferenceColumn,
) -> ReferenceFigures:
    assert report.measurement is not None
    seen = observed(report.measurement, variants, table, column)
    made = {artifact.id: precision_of(artifact) for artifact in report.artifacts}
    here = _by_row(report, table, column, seen, made)
    rows = _rows(table, column, seen, here)
    same = _is_of(report, table)
    like = table.sequence is None or seen.sequence in (None, table.sequence)
    scored = []
    for row in table.rows:
        if (one := here.get(row.label)) is not None:
            known = (row.precision, made[one.variant.artifact_id])
            shared = matches(report, table, column, known, one, seen.sequence)
            scored.append((row.label, shared))
    both = [(row.label, row.printed, row.measured) for row in rows]
    return ReferenceFigures(
        title=table.title,
        source=table.source,
        column=column.label,
        unit=column.unit,
        hardware=column.hardware or _UNNAMED,
        model=table.model,
        same_model=same,
        rows=rows,
        table=_as_table(table, column, rows, same),
        pairs=pairs(both, seen, column.quantity) if same and like else (),
        comparable=comparability(f"{table.title}: {column.label}", scored),
    )


def _by_row(
    report: Report,
    table: ReferenceTable,
    column: ReferenceColumn,
    seen: Observations,
    precisions: Mapping[str, str | None],
) -> dict[str, Observed]:
    """What stands beside each printed figure, by the row's label: the first that ran as it did.

    A row that names a precision takes what has it; any other, what went through no pass.
    """
    changed = {artifact.id for artifact in report.artifacts if artifact.passes}
    found: dict[str, Observed] = {}
    for row in table.rows:
        for one in seen.found:
            own = one.variant
            fits = (
                own.artifact_id not in changed
                if row.precision is None
                else precisions[own.artifact_id] == row.precision
            )
            alike = own.format == row.format and own.batch == (table.batch or own.batch)
            if fits and alike and row.values[column.id] is not None:
                found.setdefault(row.label, one)
    return found


def _rows(
    table: ReferenceTable,
    column: ReferenceColumn,
    seen: Observations,
    here: Mapping[str, Observed],
) -> tuple[BesideRow, ...]:
    first = table.rows[0]
    gains = _gains(seen, here, first.label)
    found = []
    for row in table.rows:
        printed = row.values[column.id]
        said = None if row is first else _quotient(first.values[column.id], printed)
        gain = gains.get(row.label)
        sentence = _sentence(row.label, said, gain)
        found.append(BesideRow(row.label, printed, said, here.get(row.label), gain, sentence))
    return tuple(found)


def _gains(seen: Observations, here: Mapping[str, Observed], first: str) -> dict[str, Ratio]:
    """Every row's ratio to the first one, judged together; none where that was not measured."""
    base = here.get(first)
    if base is None:
        return {}
    found = {
        label: ratio
        for label, one in here.items()
        if side_by_side(base, one) and (ratio := seen.ratio(base, one)) is not None
    }
    together = adjusted(tuple(found.values()), level=seen.level)
    return dict(zip(found, together, strict=True))


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
    table: ReferenceTable, column: ReferenceColumn, rows: tuple[BesideRow, ...], same: bool
) -> Table:
    model = "the same model" if same else f"another model ({table.model})"
    gain = "memory saved against" if column.quantity == "memory" else "speed against"
    return Table(
        f"{table.title}: {column.label}, reference and measured",
        (
            "Row of the table",
            f"Reference, {column.unit} ({column.hardware or _UNNAMED})",
            f"Reference, {gain} its first row",
            f"Measured, {column.unit}",
            f"Measured, {gain} the same row",
        ),
        tuple(
            (
                row.label,
                _ABSENT if row.printed is None else words.number(row.printed),
                f"{row.printed_ratio:.2f}×" if row.printed_ratio else _ABSENT,
                words.percentile(row.measured.value) if row.measured else _ABSENT,
                words.times(row.measured_ratio) if row.measured_ratio else _ABSENT,
            )
            for row in rows
        ),
        f"The reference was taken on another machine with {model}. {table.note} "
        f"Compare what stands in × within each machine, not the {column.unit} across.",
    )


def _quotient(first: float | None, second: float | None) -> float | None:
    return first / second if first and second else None


def _is_of(report: Report, table: ReferenceTable) -> bool:
    return _plain(table.model) in _plain(report.model.name)


def _plain(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum())
