"""Data sets that were brought for a model, each in a folder of its own."""

from __future__ import annotations

import shutil
from typing import Any

import sqlalchemy as sa

from engine.data.model import SCHEMA_VERSION, Dataset
from engine.errors import BadRequest, NotFound
from engine.settings import settings
from engine.store import documents, owners
from engine.store.database import insert_new, transaction
from engine.store.schema import data as table


def save(data: Dataset) -> None:
    """Keep a data set; it has its model's owner. The same again changes nothing."""
    insert_new(
        table,
        id=data.id,
        model_id=data.model_id,
        created_at=data.created_at,
        owner=owners.of_model(data.model_id),
        document=documents.from_data(data),
    )


def load(data_id: str) -> Dataset:
    """The data set of that id. Raises NotFound, for somebody else's as for one there is not."""
    query = owners.within(sa.select(table.c.document).where(table.c.id == data_id), table)
    with transaction() as connection:
        document = connection.scalar(query)
    if document is None:
        raise NotFound(
            "There is no such data; it may have been deleted.", hint="Bring the data again."
        )
    return _read(document)


def load_for(model_id: str, data_id: str) -> Dataset:
    """The data set of that id, made for that model. Raises NotFound, BadRequest."""
    found = load(data_id)
    if found.model_id != model_id:
        raise BadRequest(
            f"The data {found.name!r} was made ready for another model.",
            hint="Bring it again for this one: each model takes it in its own shapes and types.",
        )
    return found


def of_model(model_id: str) -> tuple[Dataset, ...]:
    """The data of a model, newest first."""
    query = (
        sa.select(table.c.document)
        .where(table.c.model_id == model_id)
        .order_by(table.c.created_at.desc(), table.c.id)
    )
    with transaction() as connection:
        found = connection.scalars(owners.within(query, table))
        return tuple(_read(document) for document in found)


def ids_of_model(model_id: str) -> tuple[str, ...]:
    """The ids of the data of a model."""
    with transaction() as connection:
        return tuple(connection.scalars(sa.select(table.c.id).where(table.c.model_id == model_id)))


def delete(data_id: str) -> None:
    """Forget a data set, then its files. What was made with it stays. Raises NotFound."""
    load(data_id)
    with transaction() as connection:
        connection.execute(sa.delete(table).where(table.c.id == data_id))
    shutil.rmtree(settings().data_sets_dir / data_id, ignore_errors=True)


def _read(document: dict[str, Any]) -> Dataset:
    """A data set from its document; there has been one version of it so far."""
    if document.get("schema_version") != SCHEMA_VERSION:
        raise BadRequest(
            f"This data has schema version {document.get('schema_version')}; this Assay reads "
            f"{SCHEMA_VERSION}.",
            hint="Bring the data again, or update Assay.",
        )
    return documents.to_data(document)
