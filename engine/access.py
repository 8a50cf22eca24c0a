"""Who is asking, and what they may do. The store, the queue and the routes ask here.

Without a login there is one person, who runs this machine and may do everything: the shell, the
host, and the pages on loopback. With one, the web says who asks (``identify_by`` for the pages,
``acting`` around a request), and whoever it does not know sees nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum

from engine.errors import NotAllowed


class Role(StrEnum):
    """What a person may do; each may also do what those before it may."""

    VIEWER = "viewer"
    RUNNER = "runner"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """Its place among the roles."""
        return list(Role).index(self)


WHAT = {
    Role.VIEWER: "reads reports that are shared",
    Role.RUNNER: "brings models, converts and measures, and owns what comes of it",
    Role.ADMIN: "sees everything, System too",
}
"""What each role is for, in words."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody. ``id`` is what they own things by, empty for whoever runs this machine.

    ``role`` is None for nobody, and for somebody whom the operator gave none.
    """

    id: str
    name: str
    role: Role | None

    @property
    def sees_all(self) -> bool:
        """Whether nothing is hidden from them."""
        return self.role is Role.ADMIN

    def may(self, needed: Role) -> bool:
        """Whether their role is this one, or above it."""
        return self.role is not None and self.role.rank >= needed.rank

    def sees(self, owner: str) -> bool:
        """Whether what this owner made is theirs to see, to change and to delete."""
        return self.sees_all or (self.role is not None and bool(self.id) and self.id == owner)


OPERATOR = Person("", "whoever runs this machine", Role.ADMIN)
NOBODY = Person("", "", None)

_acting: ContextVar[Person | None] = ContextVar("acting", default=None)
_ask: Callable[[], Person] | None = None


def who() -> Person:
    """Who is asking now."""
    if (person := _acting.get()) is not None:
        return person
    return _ask() if _ask is not None else OPERATOR


def own() -> tuple[str, ...]:
    """What tells a person's things from equal ones of others, for their ids; nothing for whoever
    runs this machine, whose ids stay what they were."""
    owner = who().id
    return (owner,) if owner else ()


def identify_by(ask: Callable[[], Person] | None) -> None:
    """From now on this process asks this function who is asking, where no ``acting`` says so.

    None where nobody logs in.
    """
    global _ask
    _ask = ask


@contextmanager
def acting(person: Person) -> Iterator[None]:
    """Inside, this person is asking; threads that are started meanwhile are not."""
    token = _acting.set(person)
    try:
        yield
    finally:
        _acting.reset(token)


def on_behalf_of(owner: str) -> Person:
    """The host at work for somebody: what it makes is theirs; what it reads was allowed before."""
    return Person(owner, "", Role.ADMIN)


def need(role: Role) -> None:
    """Go on only for whoever has that role, or one above. Raises NotAllowed."""
    person = who()
    if not person.may(role):
        own = f"yours is {person.role}" if person.role else "you have none"
        raise NotAllowed(
            f"This needs the role {role}; {own}.", hint="Whoever runs this Assay gives roles."
        )
