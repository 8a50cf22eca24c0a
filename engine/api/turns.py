"""Whose turn it is: how many uploads are received at a time, by one person and in all.

An upload keeps its turn for a moment after each slice, so that those under way come to their end
before others begin. Known to this process alone, and used by its event loop alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from engine.errors import UploadError
from engine.settings import settings
from engine.sources.uploads import Upload

KEPT_S = 10.0
"""How long a turn is kept without a byte between two slices."""
_ASK_AGAIN_S = 5


@dataclass(slots=True)
class _Turn:
    """One upload's: how many requests bring its bytes now, and how long it is kept after them."""

    by: str
    requests: int = 0
    kept_s: float = KEPT_S
    until: float = 0.0


class Turns:
    """The uploads whose turn it is. ``now`` gives seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._turns: dict[str, _Turn] = {}

    @contextmanager
    def taken(self, upload: Upload) -> Iterator[None]:
        """This upload's turn, for the block. Raises UploadError 429 while it is others' turn."""
        turn = self._turn(upload)
        turn.requests += 1
        try:
            yield
        finally:
            turn.requests -= 1
            turn.until = self._now() + turn.kept_s

    def end(self, upload_id: str) -> None:
        """It is complete or withdrawn: the next one's turn, once no request brings it any more."""
        turn = self._turns.get(upload_id)
        if turn:
            turn.kept_s = turn.until = 0.0

    def _turn(self, upload: Upload) -> _Turn:
        now = self._now()
        self._turns = {
            key: turn for key, turn in self._turns.items() if turn.requests or turn.until > now
        }
        if upload.id not in self._turns:
            self._check(upload)
            self._turns[upload.id] = _Turn(upload.by)
        return self._turns[upload.id]

    def _check(self, upload: Upload) -> None:
        most, each = settings().uploads_at_once, settings().uploads_each
        if sum(turn.by == upload.by for turn in self._turns.values()) >= each:
            raise _wait(f"{each:,} of your uploads are being received, the most at a time.")
        if len(self._turns) >= most:
            raise _wait(f"Assay is receiving {most:,} uploads, the most it takes at a time.")


def _wait(why: str) -> UploadError:
    return UploadError(
        why,
        status=429,
        hint="It goes on when one of them is done: send it again after Retry-After seconds.",
        retry_after_s=_ASK_AGAIN_S,
    )
