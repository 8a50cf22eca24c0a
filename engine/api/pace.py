"""How slowly a body may come: whoever stands still, or only trickles, is cut."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from engine.api.answers import TOO_SLOW
from engine.errors import UploadError
from engine.settings import settings


class Pace:
    """Time that is left to a sender: every byte buys some, and there is never more than the start.

    So standing still is cut after the patience, and coming too slowly some time later.
    """

    def __init__(self, scope: anyio.CancelScope) -> None:
        self._scope = scope
        self._patience_s = settings().upload_patience_s
        self._least = settings().upload_least_bytes_s
        scope.deadline = anyio.current_time() + self._patience_s

    def check(self) -> None:
        """After the block. Raises UploadError 408 where it was cut."""
        if self._scope.cancelled_caught:
            raise UploadError(
                f"The upload was cut: for {self._patience_s:g} s it came slower than "
                f"{self._least / 1e3:g} kB a second, or stood still.",
                status=TOO_SLOW,
                hint="What has arrived is kept: ask for the offset with HEAD and go on from there.",
            )

    def came(self, size: int) -> None:
        """So many bytes have arrived."""
        most = anyio.current_time() + self._patience_s
        self._scope.deadline = min(most, self._scope.deadline + size / self._least)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Our own time, such as the disk's, is not the sender's."""
        left = self._scope.deadline - anyio.current_time()
        self._scope.deadline = math.inf
        try:
            yield
        finally:
            self._scope.deadline = anyio.current_time() + left


@contextmanager
def paced() -> Iterator[Pace]:
    """A block that reads a body, and is left when that comes too slowly; ``check`` says so."""
    with anyio.CancelScope() as scope:
        yield Pace(scope)
