"""Whose a row is: the one place where the store asks who is asking.

A row without an owner belongs to whoever runs this machine; admins see every row.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import sqlalchemy as sa

from engine.access import Person, who
from engine.settings import settings
from engine.store.database import now, transaction
from engine.store.schema import model as model_table
from engine.store.schema import person as table

Q = TypeVar("Q", bound=sa.Select[Any])


def within(query: Q, of: sa.Table) -> Q:
    """The query, kept to the rows that whoever asks may see."""
    person = who()
    if person.sees_all:
        return query
    return query.where(of.c.owner == person.id) if person.id and person.role else none(query)


def none(query: Q) -> Q:
    """The query, which then finds nothing."""
    return query.where(sa.false())


def of_model(model_id: str) -> sa.ColumnElement[str]:
    """To insert: whose a model is, and with it all that is made from it; whoever asks where there
    is no such model."""
    found = sa.select(model_table.c.owner).where(model_table.c.id == model_id).scalar_subquery()
    return sa.func.coalesce(found, who().id)


def remember(person: Person) -> None:
    """Keep the name of somebody who is here, so that what they own can be said to be theirs."""
    if person.id:
        _keep(settings().database_url, person.id, person.name)


@cache
def _keep(database_url: str, person_id: str, name: str) -> None:
    """Once a process and name: a page asks each time it is drawn."""
    with transaction() as connection:
        connection.execute(sa.delete(table).where(table.c.id == person_id))
        connection.execute(sa.insert(table).values(id=person_id, name=name, seen_at=now()))


def names() -> dict[str, str]:
    """By id: what those are called who logged in once."""
    with transaction() as connection:
        return {row.id: row.name for row in connection.execute(sa.select(table))}
