"""Shared reports: frozen snapshots behind tokens that are never stored, only their hashes."""

from __future__ import annotations

import hashlib
import math
import secrets
import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from threading import Lock

import sqlalchemy as sa

from engine.access import who
from engine.errors import BadRequest, NotFound
from engine.records import dump
from engine.reports import migrations
from engine.reports.model import Report
from engine.settings import settings
from engine.store import owners
from engine.store.database import now, transaction
from engine.store.schema import share as table

_LONGEST_DAYS = 3650
_WRITTEN_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Share:
    """A share as its owner sees it: everything but the token. Times are ISO 8601 UTC."""

    id: str
    report_id: str
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    views: int

    @property
    def active(self) -> bool:
        """Whether its link still opens."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now())


@dataclass(frozen=True, slots=True)
class NewShare:
    """A share just made. ``token`` is shown once: it cannot be read back."""

    token: str
    share: Share


_COLUMNS = tuple(table.c[name] for name in Share.__slots__)


def create(report: Report, days: int | None) -> NewShare:
    """Freeze a report behind a new token, for ``days`` days or (None) until it is revoked."""
    if days is not None and not 1 <= days <= _LONGEST_DAYS:
        raise BadRequest(
            f"A share lasts 1 to {_LONGEST_DAYS} days, not {days}.",
            hint="Choose a number of days in that range, or no expiry.",
        )
    token = secrets.token_urlsafe(32)
    ends = None if days is None else datetime.now(UTC) + timedelta(days=days)
    share = Share(
        id=secrets.token_hex(8),
        report_id=report.id,
        created_at=now(),
        expires_at=ends.isoformat(timespec="milliseconds") if ends else None,
        revoked_at=None,
        views=0,
    )
    with transaction() as connection:
        connection.execute(
            sa.insert(table).values(
                **dump(share),
                token_sha256=_digest(token),
                document=dump(report),
                owner=who().id,
            )
        )
    return NewShare(token, share)


def find(token: str) -> tuple[Report, Share]:
    """The snapshot behind a token and its share, this view counted.

    Raises NotFound, alike in every bad case.
    """
    share = opened(token)
    return snapshot(share), share


def opened(token: str) -> Share:
    """The share behind a token, this view counted. Raises NotFound, alike in every bad case."""
    opens = sa.and_(
        table.c.token_sha256 == _digest(token),
        table.c.revoked_at.is_(None),
        sa.or_(table.c.expires_at.is_(None), table.c.expires_at > now()),
    )
    with transaction() as connection:
        row = connection.execute(sa.select(*_COLUMNS).where(opens)).one_or_none()
    if row is None:
        raise NotFound(
            "This link opens nothing: it is mistyped, has expired, or was revoked.",
            hint="Ask whoever sent it for a new one.",
        )
    share = Share(*row)
    return replace(share, views=share.views + _views(settings().database_url).one_more(share.id))


def snapshot(share: Share) -> Report:
    """The frozen report of a share that is open; whoever asks has been let in already."""
    return _snapshot(settings().database_url, share.id)


class _Views:
    """Views that are not written yet. To write each at once is a wait for the disk, and a link may
    be opened by hundreds; what a process has not written when it ends is not counted."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: Counter[str] = Counter()
        self._written = -math.inf

    def one_more(self, share_id: str) -> int:
        """Count one; gives how many the database does not know of yet, or did not until now."""
        with self._lock:
            self._waiting[share_id] += 1
            here = self._waiting[share_id]
            due = time.monotonic() - self._written > _WRITTEN_EVERY_S
        if due:
            self.write()
        return here

    def write(self) -> None:
        """Let the database know of all of them."""
        with self._lock:
            waiting, self._waiting = self._waiting, Counter()
            self._written = time.monotonic()
        if not waiting:
            return
        with transaction() as connection:
            for share_id, count in waiting.items():
                change = sa.update(table).where(table.c.id == share_id)
                connection.execute(change.values(views=table.c.views + count))


@lru_cache(maxsize=4)
def _views(database_url: str) -> _Views:
    """Those of one database."""
    return _Views()


@lru_cache(maxsize=4)
def _snapshot(database_url: str, share_id: str) -> Report:
    with transaction() as connection:
        chosen = sa.select(table.c.document).where(table.c.id == share_id)
        return migrations.load(connection.execute(chosen).scalar_one())


def of_report(report_id: str) -> tuple[Share, ...]:
    """Every share of a report that whoever asks made, newest first."""
    _views(settings().database_url).write()
    query = (
        sa.select(*_COLUMNS)
        .where(table.c.report_id == report_id)
        .order_by(table.c.created_at.desc(), table.c.id)
    )
    with transaction() as connection:
        return tuple(Share(*row) for row in connection.execute(owners.within(query, table)))


def revoke(share_id: str) -> None:
    """Close a share for good. Closing it twice, or one of somebody else's, changes nothing."""
    theirs = owners.within(sa.select(table.c.id).where(table.c.id == share_id), table)
    change = (
        sa.update(table)
        .where(table.c.id.in_(theirs), table.c.revoked_at.is_(None))
        .values(revoked_at=now())
    )
    with transaction() as connection:
        connection.execute(change)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
