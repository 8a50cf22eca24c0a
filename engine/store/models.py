"""Models that were brought in, and their removal with everything that belongs to them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import sqlalchemy as sa

from engine.access import who
from engine.errors import NotFound, UnsupportedModel
from engine.records import parse
from engine.registry import LISTINGS
from engine.settings import settings
from engine.store import artifacts, data, documents, owners
from engine.store.database import insert_new, transaction
from engine.store.schema import artifact as artifact_table
from engine.store.schema import data as data_table
from engine.store.schema import finding as finding_table
from engine.store.schema import model as table
from engine.types import Listing, Model


def save(model: Model) -> None:
    """Keep a model; it belongs to whoever asks. The same model again changes nothing."""
    insert_new(
        table,
        id=model.id,
        created_at=model.created_at,
        owner=who().id,
        document=documents.from_model(model),
    )


def load(model_id: str) -> Model:
    """The model of that id. Raises NotFound, for somebody else's as for one there is not."""
    query = owners.within(sa.select(table.c.document).where(table.c.id == model_id), table)
    with transaction() as connection:
        document = connection.scalar(query)
    if document is None:
        raise NotFound(
            "There is no such model; it may have been deleted.",
            hint="Bring it in again on the Model page.",
        )
    return documents.to_model(document)


def runnable(model_id: str) -> Model:
    """The model of that id. Raises NotFound, and UnsupportedModel for one to be looked at only."""
    model = load(model_id)
    if model.barred:
        raise UnsupportedModel(
            f"{model.name} can be looked at, and not converted or measured. {model.barred}"
        )
    return model


_LONGEST_LISTINGS = 32 * 1024**2


def listings(model: Model) -> tuple[Listing, ...]:
    """Everything its file says of itself, kept beside it; empty where facts are all there is.

    And where there is more of it than a page can hold.
    """
    path = _listings(model)
    if not path.is_file() or path.stat().st_size > _LONGEST_LISTINGS:
        return ()
    return parse(tuple[Listing, ...], json.loads(path.read_text(encoding="utf-8")))


def has_listings(model: Model) -> bool:
    """Whether there are any, without reading them."""
    return _listings(model).is_file()


def _listings(model: Model) -> Path:
    return model.artifact.path.parent / LISTINGS


def recent(limit: int = 50) -> tuple[Model, ...]:
    """The newest models first."""
    query = sa.select(table.c.document).order_by(table.c.created_at.desc(), table.c.id).limit(limit)
    with transaction() as connection:
        found = connection.scalars(owners.within(query, table))
        return tuple(documents.to_model(document) for document in found)


def delete(model_id: str) -> None:
    """Forget a model with all that came of it, then the files. Reports stay: they hold no paths."""
    original = load(model_id).artifact.id
    made, brought = artifacts.ids_of_model(model_id), data.ids_of_model(model_id)
    with transaction() as connection:
        connection.execute(sa.delete(artifact_table).where(artifact_table.c.model_id == model_id))
        subjects = finding_table.c.subject.in_((original, *made))
        connection.execute(sa.delete(finding_table).where(subjects))
        connection.execute(sa.delete(data_table).where(data_table.c.model_id == model_id))
        connection.execute(sa.delete(table).where(table.c.id == model_id))
    # Rows first: a reader trusts rows, and a row must never name a file that is gone.
    for artifact_id in made:
        shutil.rmtree(settings().artifacts_dir / artifact_id, ignore_errors=True)
    for data_id in brought:
        shutil.rmtree(settings().data_sets_dir / data_id, ignore_errors=True)
    shutil.rmtree(settings().models_store / model_id, ignore_errors=True)
