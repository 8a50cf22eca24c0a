"""Published figures, and the founding document's promises: to compare with, never to mix in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from engine.knowledge.source import broken, read
from engine.records import parse


@dataclass(frozen=True, slots=True)
class ReferenceColumn:
    """One figure of a table. What the source is silent about is None."""

    id: str
    label: str
    quantity: str
    unit: str
    device: str | None
    hardware: str | None
    threads: int | None


@dataclass(frozen=True, slots=True)
class ReferenceRow:
    """One row; ``values`` are by column id, in the column's unit, None for not applicable."""

    label: str
    format: str
    precision: str | None
    values: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class ReferenceTable:
    """One published table, measured elsewhere by somebody else."""

    id: str
    title: str
    model: str
    batch: int | None
    sequence: int | None
    source: str
    measured_on: str | None
    note: str
    columns: tuple[ReferenceColumn, ...]
    rows: tuple[ReferenceRow, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """One promise that a measurement can contradict.

    ``form`` says how to read ``low`` and ``high``: ``times_better`` is a ratio of baseline to
    candidate (of candidate to baseline for throughput); ``fraction_less`` is one minus candidate
    over baseline; ``statement`` carries no number. ``device`` None means not said.
    """

    id: str
    format: str
    text: str
    quantity: str
    device: str | None
    baseline: str
    form: str
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class _Tables:
    tables: tuple[ReferenceTable, ...]


@dataclass(frozen=True, slots=True)
class _Claims:
    claims: tuple[Claim, ...]


@cache
def reference_tables() -> tuple[ReferenceTable, ...]:
    """The published tables. Raises EngineError when a row does not fill exactly its columns."""
    tables = parse(_Tables, read("reference.yaml")).tables
    for table in tables:
        wanted = {column.id for column in table.columns}
        for row in table.rows:
            if set(row.values) != wanted:
                raise broken(
                    "reference.yaml", f"{table.id}/{row.label}", f"values must be {sorted(wanted)}"
                )
    return tables


@cache
def claims() -> tuple[Claim, ...]:
    """Every claim. Raises EngineError when a numbered claim has no proper range."""
    found = parse(_Claims, read("claims.yaml")).claims
    for claim in found:
        if claim.form == "statement":
            fits = claim.low is None and claim.high is None
        else:
            fits = claim.low is not None and claim.high is not None and claim.low < claim.high
        if not fits:
            raise broken("claims.yaml", claim.id, f"{claim.form} with {claim.low}..{claim.high}")
    return found
