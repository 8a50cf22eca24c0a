"""Seconds of one run, roughly: repeated for a while, on a machine as busy as it is."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

ENOUGH_S = 2.0
_WARM_UP, LEAST, _MOST = 2, 5, 200


def repeated(run: Callable[[], Any]) -> list[float]:
    """The seconds of each run after a warm-up: at least five, for about two seconds."""
    for _ in range(_WARM_UP):
        run()
    found: list[float] = []
    while len(found) < LEAST or (sum(found) < ENOUGH_S and len(found) < _MOST):
        started = perf_counter()
        run()
        found.append(perf_counter() - started)
    return found
