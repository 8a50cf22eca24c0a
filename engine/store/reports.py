"""The library of reports: whole documents, and the few columns a list needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from statistics import median

import sqlalchemy as sa

from engine import processor
from engine.errors import NotFound
from engine.records import dump
from engine.reports import migrations
from engine.reports.model import Report
from engine.settings import settings
from engine.store.database import transaction
from engine.store.schema import report as table

_LOOKED_AT = 200
"""Of the newest reports, so many are looked at for what they measured."""


@dataclass(frozen=True, slots=True)
class ReportSummary:
    """One line of the library.

    ``formats`` are the names of what was made; ``fastest`` is the label with the lowest median
    latency, with no claim that the difference is more than noise.
    """

    id: str
    title: str
    created_at: str
    model_name: str
    formats: tuple[str, ...]
    fastest: str | None


def save(report: Report) -> None:
    """Keep a report, in place of one with the same id."""
    summary = _summary(report)
    _document.cache_clear()
    _measured.cache_clear()
    with transaction() as connection:
        connection.execute(sa.delete(table).where(table.c.id == report.id))
        connection.execute(
            sa.insert(table).values(
                id=summary.id,
                title=summary.title,
                created_at=summary.created_at,
                model_name=summary.model_name,
                formats=list(summary.formats),
                fastest=summary.fastest,
                document=dump(report),
            )
        )


def load(report_id: str) -> Report:
    """The report of that id, whatever version of Assay wrote it. Raises NotFound."""
    with transaction() as connection:
        written = connection.scalar(sa.select(table.c.created_at).where(table.c.id == report_id))
    if written is None:
        raise NotFound(
            "There is no such report; it may have been deleted.",
            hint="The Reports page lists those there are.",
        )
    return _document(settings().database_url, report_id, written)


@lru_cache(maxsize=4)
def _document(database_url: str, report_id: str, written: str) -> Report:
    """A report as it was written then: frozen, so that every rerun of its page shares it."""
    with transaction() as connection:
        chosen = sa.select(table.c.document).where(table.c.id == report_id)
        return migrations.load(connection.execute(chosen).scalar_one())


def recent(query: str = "", limit: int = 100) -> tuple[ReportSummary, ...]:
    """The newest first; with ``query``, those whose title, model or formats contain it."""
    columns = [column for column in table.c if column.name != "document"]
    found = sa.select(*columns).order_by(table.c.created_at.desc(), table.c.id).limit(limit)
    if words := query.strip():
        matches = (column.icontains(words, autoescape=True) for column in _SEARCHED)
        found = found.where(sa.or_(*matches))
    with transaction() as connection:
        return tuple(
            ReportSummary(
                id=row.id,
                title=row.title,
                created_at=row.created_at,
                model_name=row.model_name,
                formats=tuple(row.formats),
                fastest=row.fastest,
            )
            for row in connection.execute(found)
        )


def measured_passes(model_id: str) -> dict[str, str]:
    """By name of a pass, the newest report that measured an artifact of this model with it here.

    Here: on a processor of this machine's kind.
    """
    newest = sa.select(table.c.id, table.c.created_at).order_by(
        table.c.created_at.desc(), table.c.id
    )
    with transaction() as connection:
        rows = connection.execute(newest.limit(_LOOKED_AT)).all()
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
    """Forget a report. Shared snapshots stay until they are revoked or expire."""
    with transaction() as connection:
        connection.execute(sa.delete(table).where(table.c.id == report_id))


_SEARCHED = (table.c.title, table.c.model_name, sa.cast(table.c.formats, sa.Text))


def _summary(report: Report) -> ReportSummary:
    return ReportSummary(
        id=report.id,
        title=report.title,
        created_at=report.created_at,
        model_name=report.model.name,
        formats=tuple(made.format for made in report.artifacts if not made.is_original),
        fastest=_fastest(report),
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
