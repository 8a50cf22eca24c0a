"""Artifacts that were made, each with the verification that judged it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from engine.errors import NotFound
from engine.quality.model import Quality
from engine.records import dump, parse
from engine.registry import MATRIX, REPORT
from engine.settings import settings
from engine.store import documents, owners
from engine.store.database import insert_new, now, transaction
from engine.store.schema import artifact as table
from engine.store.schema import finding as finding_table
from engine.store.schema import model as model_table
from engine.types import Artifact
from engine.verify.model import Verification

_REPORT_SHOWN = 100_000


def save(artifact: Artifact, model_id: str) -> None:
    """Keep an artifact of a model, whose owner it has. The same again changes nothing."""
    insert_new(
        table,
        id=artifact.id,
        model_id=model_id,
        created_at=now(),
        owner=owners.of_model(model_id),
        document=documents.from_artifact(artifact),
    )


def load(artifact_id: str) -> tuple[Artifact, Verification | None]:
    """An artifact and its verification, if it has been verified.

    Raises NotFound, for somebody else's as for one there is not.
    """
    query = sa.select(table.c.document, table.c.verification).where(table.c.id == artifact_id)
    with transaction() as connection:
        row = connection.execute(owners.within(query, table)).one_or_none()
    if row is None:
        raise NotFound(
            "There is no such artifact; its model may have been deleted.",
            hint="Convert the model again.",
        )
    return _pair(row)


def of_model(model_id: str) -> tuple[tuple[Artifact, Verification | None], ...]:
    """Everything made from a model, newest first."""
    query = (
        sa.select(table.c.document, table.c.verification)
        .where(table.c.model_id == model_id)
        .order_by(table.c.created_at.desc(), table.c.id)
    )
    with transaction() as connection:
        return tuple(_pair(row) for row in connection.execute(owners.within(query, table)))


def ids_of_model(model_id: str) -> tuple[str, ...]:
    """The ids of everything made from a model."""
    with transaction() as connection:
        return tuple(connection.scalars(sa.select(table.c.id).where(table.c.model_id == model_id)))


def visible(artifact_id: str) -> bool:
    """Whether whoever asks may see an artifact, or a model's original, of that id."""
    made = sa.select(table.c.id).where(table.c.id == artifact_id)
    of = model_table.c.document[("artifact", "id")].as_string()
    brought = sa.select(model_table.c.id).where(of == artifact_id)
    with transaction() as connection:
        return any(
            connection.scalar(owners.within(query, of_table)) is not None
            for query, of_table in ((made, table), (brought, model_table))
        )


def exist(artifact_ids: tuple[str, ...]) -> bool:
    """Whether every one of these artifacts is there."""
    query = sa.select(sa.func.count()).select_from(table).where(table.c.id.in_(artifact_ids))
    with transaction() as connection:
        return connection.scalar(query) == len(set(artifact_ids))


def delete(artifact_id: str) -> None:
    """Forget an artifact, then its files. Reports that measured it stay. Raises NotFound."""
    load(artifact_id)
    with transaction() as connection:
        connection.execute(sa.delete(finding_table).where(finding_table.c.subject == artifact_id))
        connection.execute(sa.delete(table).where(table.c.id == artifact_id))
    # The row first: a reader trusts rows, and a row must never name a file that is gone.
    shutil.rmtree(settings().artifacts_dir / artifact_id, ignore_errors=True)


def report_of(artifact: Artifact) -> str:
    """What its exporter left to be read, as Markdown, cut where it grows long; else empty."""
    path = artifact.path.parent / REPORT
    if not path.is_file():
        return ""
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(_REPORT_SHOWN)


def matrix_of(artifact: Artifact) -> Path | None:
    """The importance matrix it was quantized with, if there was one."""
    path = artifact.path.parent / MATRIX
    return path if path.is_file() else None


def save_verification(verification: Verification) -> None:
    """Keep a judgement with its artifact, in place of an earlier one. Raises NotFound."""
    change = (
        sa.update(table)
        .where(table.c.id == verification.artifact_id)
        .values(verification=dump(verification))
    )
    with transaction() as connection:
        changed = connection.execute(change).rowcount
    if not changed:
        raise NotFound(
            "The artifact was deleted while it was being verified.",
            hint="Convert the model again.",
        )


def save_quality(quality: Quality) -> None:
    """Keep how good an artifact is on a data set, in place of an earlier judgement on the same.

    Raises NotFound.
    """
    with transaction() as connection:
        chosen = sa.select(table.c.quality).where(table.c.id == quality.artifact_id)
        row = connection.execute(chosen.with_for_update()).one_or_none()
        if row is None:
            raise NotFound(
                "The artifact was deleted while it was being judged.",
                hint="Convert the model again.",
            )
        others = [one for one in row.quality or () if one["data_id"] != quality.data_id]
        connection.execute(
            sa.update(table)
            .where(table.c.id == quality.artifact_id)
            .values(quality=[*others, dump(quality)])
        )


def quality_of(artifact_id: str) -> tuple[Quality, ...]:
    """How good an artifact is, on every data set it was judged on; the latest last."""
    query = owners.within(sa.select(table.c.quality).where(table.c.id == artifact_id), table)
    with transaction() as connection:
        found = connection.scalar(query)
    return parse(tuple[Quality, ...], found or [])


def _pair(row: Any) -> tuple[Artifact, Verification | None]:
    judged = None if row.verification is None else parse(Verification, row.verification)
    return documents.to_artifact(row.document), judged
