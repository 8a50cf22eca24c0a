"""What takes room, and what of it nobody needs: never what a report or an open job speaks of."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa

from engine.access import Role, need
from engine.files import size_of
from engine.settings import settings
from engine.store import artifacts, data, jobs, models, schema
from engine.store.database import transaction

Kind = Literal["artifact", "data", "model", "job"]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that takes room. ``since`` is ISO 8601 in UTC."""

    kind: Kind
    id: str
    name: str
    since: str
    size_bytes: int


def sizes() -> Mapping[str, int]:
    """Bytes on the disk by kind, in the order they are shown. Raises NotAllowed."""
    need(Role.ADMIN)
    here = settings()
    places = {
        "Models": here.models_store,
        "Artifacts": here.artifacts_dir,
        "Data": here.data_sets_dir,
        "Uploads": here.uploads_dir,
        "Jobs and their logs": here.jobs_dir,
    }
    return {name: size_of(place) if place.exists() else 0 for name, place in places.items()}


def unneeded(days: float, most_bytes: int = 0) -> tuple[Item, ...]:
    """What may go, oldest first: what is older than ``days``, and more while there is too much.

    ``most_bytes`` is how much there may be, 0 for no limit. A model goes only with all that was
    made from it. Raises NotAllowed for whoever is no admin.
    """
    need(Role.ADMIN)
    before = _days_ago(days)
    everything = tuple(_all())
    needed = _needed(everything)
    free = sorted((one for one in everything if one.id not in needed), key=_turn)
    going = [one for one in free if one.since < before]
    over = sum(sizes().values()) - most_bytes if most_bytes else 0
    for one in free:
        if over <= sum(gone.size_bytes for gone in going):
            break
        if one not in going:
            going.append(one)
    return tuple(_whole(going))


def _turn(one: Item) -> tuple[str, bool]:
    """A model has its turn after all that was made from it, since it goes only with that."""
    if one.kind != "model":
        return one.since, False
    return max((one.since, *_made_at(one.id))), True


def _made_at(model_id: str) -> tuple[str, ...]:
    found: list[str] = []
    with transaction() as connection:
        for table in (schema.artifact, schema.data):
            query = sa.select(table.c.created_at).where(table.c.model_id == model_id)
            found += connection.scalars(query)
    return tuple(found)


def _days_ago(days: float) -> str:
    """That moment as rows write it; the beginning of time for days without end."""
    if days == float("inf"):
        return ""
    return (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="milliseconds")


def remove(items: tuple[Item, ...]) -> int:
    """Forget them and delete their files; gives the bytes that are free again.

    Raises NotAllowed.
    """
    need(Role.ADMIN)
    for one in items:
        _REMOVE[one.kind](one.id)
    return sum(one.size_bytes for one in items)


def _whole(going: list[Item]) -> Iterator[Item]:
    """Without models of which something stays."""
    ids = {one.id for one in going}
    for one in going:
        if one.kind == "model":
            children = (*artifacts.ids_of_model(one.id), *data.ids_of_model(one.id))
            if any(child not in ids for child in children):
                continue
        yield one


def _all() -> Iterator[Item]:
    """Every artifact, data set, model and ended job, each with what it takes on the disk."""
    here = settings()
    yield from _rows("artifact", schema.artifact, here.artifacts_dir, lambda found: found["format"])
    yield from _rows("data", schema.data, here.data_sets_dir, lambda found: found["name"])
    yield from _rows("model", schema.model, here.models_store, lambda found: found["name"])
    ended = (job for job in jobs.recent(10_000) if job.state.ended)
    for job in ended:
        folder = here.jobs_dir / job.id
        if folder.exists():
            yield Item("job", job.id, job.title, job.ended_at or job.created_at, size_of(folder))


def _rows(
    kind: Kind, table: sa.Table, home: Path, name: Callable[[dict[str, Any]], str]
) -> Iterator[Item]:
    with transaction() as connection:
        rows = connection.execute(sa.select(table.c.id, table.c.created_at, table.c.document)).all()
    for row in rows:
        folder = home / row.id
        size = size_of(folder) if folder.exists() else 0
        yield Item(kind, row.id, name(row.document), row.created_at, size)


def _needed(everything: tuple[Item, ...]) -> set[str]:
    """The ids that reports and open jobs name, and the models those belong to."""
    with transaction() as connection:
        reports = connection.scalars(sa.select(schema.report.c.document)).all()
    named = {made["id"] for found in reports for made in found["artifacts"]}
    named |= {found["model"]["id"] for found in reports}
    for found in reports:
        for made in found["artifacts"]:
            named |= {judged["data_id"] for judged in made.get("quality", ()) if judged["data_id"]}
    said = " ".join(json.dumps([job.id, job.request, job.result]) for job in jobs.unfinished())
    return named | {one.id for one in everything if one.id in said}


def _remove_job(job_id: str) -> None:
    """Its folder; the line in the list stays."""
    shutil.rmtree(settings().jobs_dir / job_id, ignore_errors=True)


_REMOVE: Mapping[Kind, Callable[[str], None]] = {
    "artifact": artifacts.delete,
    "data": data.delete,
    "model": models.delete,
    "job": _remove_job,
}
