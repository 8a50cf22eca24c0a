"""What was found out about an artifact, or this machine: one document a subject and kind.

A finding of another schema version is not read: it is found anew with one click.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, TypeVar

import sqlalchemy as sa

from engine.records import dump, parse
from engine.store.database import now, transaction
from engine.store.schema import finding as table

EXPLANATION, SENSITIVITY, SEARCH, MACHINE = "explanation", "sensitivity", "search", "machine"
FLOOR = "floor"
"""Kinds of findings."""


class Record(Protocol):
    """A dataclass with a version of its own."""

    SCHEMA_VERSION: ClassVar[int]


R = TypeVar("R", bound=Record)


def save(subject: str, kind: str, record: Any) -> None:
    """Keep what was found, in place of what was known before."""
    same = sa.and_(table.c.subject == subject, table.c.kind == kind)
    with transaction() as connection:
        connection.execute(sa.delete(table).where(same))
        connection.execute(
            sa.insert(table).values(
                subject=subject, kind=kind, created_at=now(), document=dump(record)
            )
        )


def load(subject: str, kind: str, record: type[R]) -> R | None:
    """What was found; None where nothing was, or an older Assay wrote it in another shape."""
    query = sa.select(table.c.document).where(table.c.subject == subject, table.c.kind == kind)
    with transaction() as connection:
        document = connection.scalar(query)
    if document is None or document["schema_version"] != record.SCHEMA_VERSION:
        return None
    return parse(record, document)
