"""The library of reports: whole documents, and the few columns a list needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from typing import Any, TypeVar

import sqlalchemy as sa

from engine import processor
from engine.access import who
from engine.errors import NotFound
from engine.records import dump
from engine.reports import migrations
from engine.reports.model import Report
from engine.settings import settings
from engine.store import owners
from engine.store.database import transaction
from engine.store.schema import report as table

Q = TypeVar("Q", bound=sa.Select[Any])

_LOOKED_AT = 200
"""Of the newest reports, so many are looked at for what they measured."""


@dataclass(frozen=True, slots=True)
class ReportSummary:
    """One line of the library.

    ``formats`` are the names of what was made; ``fastest`` is the label with the lowest median
    latency, with no claim that the difference is more than noise. ``owner`` is the id of whoever
    made it; ``for_all``: everybody who logs in may read it.
    """

    id: str
    title: str
    created_at: str
    model_name: str
    formats: tuple[str, ...]
    fastest: str | None
    owner: str
    for_all: bool

    @property
    def own(self) -> bool:
        """Whether whoever asks may share and delete it."""
        return who().sees(self.owner)


def save(report: Report) -> None:
    """Keep a report, in place of one with the same id; it belongs to whoever asks."""
    line = _summary(report)
    _document.cache_clear()
    _measured.cache_clear()
    with transaction() as connection:
        connection.execute(sa.delete(table).where(table.c.id == report.id))
        connection.execute(sa.insert(table).values(**dump(line), document=dump(report)))


def load(report_id: str) -> Report:
    """The report of that id, whatever version of Assay wrote it.

    Raises NotFound, for one that whoever asks may not read as for one there is not.
    """
    chosen = _readable(sa.select(table.c.created_at).where(table.c.id == report_id))
    with transaction() as connection:
        written = connection.scalar(chosen)
    if written is None:
        raise _unknown()
    return _document(settings().database_url, report_id, written)


def summary(report_id: str) -> ReportSummary:
    """The line of the library of that report. Raises NotFound."""
    found = _lines(sa.select(*_LISTED).where(table.c.id == report_id))
    if not found:
        raise _unknown()
    return found[0]


def open_to_all(report_id: str, *, open_: bool) -> None:
    """Let everybody who logs in read it, or no longer. Raises NotFound for somebody else's."""
    change = sa.update(table).where(table.c.id.in_(_own(report_id))).values(for_all=open_)
    with transaction() as connection:
        changed = connection.execute(change).rowcount
    if not changed:
        raise _unknown()


def exists(report_id: str) -> bool:
    """Whether that id is taken, by whomever."""
    with transaction() as connection:
        found = connection.scalar(sa.select(table.c.id).where(table.c.id == report_id))
    return found is not None


def check_own(report_id: str) -> None:
    """Go on only for whoever may share and delete it. Raises NotFound."""
    with transaction() as connection:
        found = connection.scalar(_own(report_id))
    if found is None:
        raise _unknown()


def _own(report_id: str) -> sa.Select[tuple[str]]:
    return owners.within(sa.select(table.c.id).where(table.c.id == report_id), table)


def _readable(query: Q) -> Q:
    """The query, kept to the reports that whoever asks may read."""
    person = who()
    if person.role is None or person.sees_all:
        return owners.within(query, table)
    return query.where(sa.or_(table.c.owner == person.id, table.c.for_all))


def _unknown() -> NotFound:
    return NotFound(
        "There is no such report; it may have been deleted.",
        hint="The Reports page lists those there are.",
    )


@lru_cache(maxsize=4)
def _document(database_url: str, report_id: str, written: str) -> Report:
    """A report as it was written then: frozen, so that every rerun of its page shares it."""
    with transaction() as connection:
        chosen = sa.select(table.c.document).where(table.c.id == report_id)
        return migrations.load(connection.execute(chosen).scalar_one())


def recent(query: str = "", limit: int = 100) -> tuple[ReportSummary, ...]:
    """The newest first; with ``query``, those whose title, model or formats contain it."""
    found = sa.select(*_LISTED).order_by(table.c.created_at.desc(), table.c.id).limit(limit)
    if words := query.strip():
        matches = (column.icontains(words, autoescape=True) for column in _SEARCHED)
        found = found.where(sa.or_(*matches))
    return _lines(found)


def _lines(query: sa.Select[Any]) -> tuple[ReportSummary, ...]:
    with transaction() as connection:
        return tuple(
            ReportSummary(**{**row._mapping, "formats": tuple(row.formats)})
            for row in connection.execute(_readable(query))
        )


def measured_passes(model_id: str) -> dict[str, str]:
    """By name of a pass, the newest report that measured an artifact of this model with it here.

    Here: on a processor of this machine's kind.
    """
    newest = sa.select(table.c.id, table.c.created_at).order_by(
        table.c.created_at.desc(), table.c.id
    )
    with transaction() as connection:
        rows = connection.execute(_readable(newest.limit(_LOOKED_AT))).all()
    found: dict[str, str] = {}
    for row in rows:
        of, passes = _measured(settings().database_url, row.id, row.created_at)
        if of == model_id:
            found = {**dict.fromkeys(passes, row.id), **found}
    return found


@lru_cache(maxsize=1024)
def _measured(database_url: str, report_id: str, written: str) -> tuple[str, frozenset[str]]:
    """The model of a report, and the passes that it measured; read without its raw samples.

    Nothing of one that was measured on another processor: it says little of this machine.
    """
    document = table.c.document
    parts = (
        document[("model", "id")],
        document["artifacts"],
        document[("measurement", "plan")],
        document[("measurement", "environment", "facts")],
    )
    with transaction() as connection:
        chosen = sa.select(*parts).where(table.c.id == report_id)
        row = connection.execute(chosen).one_or_none()
    if row is None or row[2] is None or row[3].get("Processor") != processor.name():
        return "", frozenset()
    of, artifacts, plan, _ = row
    measured = {variant["artifact_id"] for variant in plan["variants"]}
    done = (one.get("passes", ()) for one in artifacts if one["id"] in measured)
    return of, frozenset(change["name"] for passes in done for change in passes)


def delete(report_id: str) -> None:
    """Forget a report. Shared snapshots stay until they are revoked or expire.

    Raises NotFound for somebody else's.
    """
    check_own(report_id)
    with transaction() as connection:
        connection.execute(sa.delete(table).where(table.c.id == report_id))


_LISTED = tuple(table.c[name] for name in ReportSummary.__slots__)
_SEARCHED = (table.c.title, table.c.model_name, sa.cast(table.c.formats, sa.Text))


def _summary(report: Report) -> ReportSummary:
    return ReportSummary(
        id=report.id,
        title=report.title,
        created_at=report.created_at,
        model_name=report.model.name,
        formats=tuple(made.format for made in report.artifacts if not made.is_original),
        fastest=_fastest(report),
        owner=who().id,
        for_all=False,
    )


def _fastest(report: Report) -> str | None:
    """The label with the lowest median at the smallest batch that was measured."""
    if report.measurement is None or not report.measurement.plan.variants:
        return None
    variants = report.measurement.plan.variants
    smallest = min(variant.batch for variant in variants)
    medians: dict[str, float] = {}
    for variant in variants:
        samples = [
            sample
            for block in report.measurement.blocks
            if block.variant == variant.key and block.discarded is None
            for sample in block.samples_ns
        ]
        if variant.batch == smallest and samples:
            medians[variant.label] = median(samples)
    return min(medians, key=lambda label: medians[label]) if medians else None
