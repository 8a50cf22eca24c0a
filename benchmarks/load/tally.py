"""What was asked and what was answered, counted by kind."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

_MOST_WORDS = 20


@dataclass
class Tally:
    """Every answer: how many of each status, how long they took, and what went wrong, in words."""

    statuses: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)
    failed: int = 0

    def answer(self, kind: str, status: int, seconds: float) -> None:
        """One answer over HTTP."""
        self.statuses[str(status)] += 1
        self.seconds[kind].append(seconds)
        if status >= 500:
            self.fault(f"{kind}: status {status}")

    def ran(self, kind: str, seconds: float) -> None:
        """A page that ran to its end over the websocket."""
        self.seconds[kind].append(seconds)

    def fault(self, what: str) -> None:
        """Something that may not be."""
        self.failed += 1
        if len(self.wrong) < _MOST_WORDS:
            self.wrong.append(what)

    def figures(self) -> dict[str, dict[str, Any]]:
        """By kind: how many, and seconds at the median, at 95 in 100 and at the most."""
        found = {}
        for kind, values in sorted(self.seconds.items()):
            steps = statistics.quantiles(values, n=20) if len(values) > 1 else values * 19
            found[kind] = {
                "count": len(values),
                "median_s": round(statistics.median(values), 4),
                "p95_s": round(steps[18], 4),
                "most_s": round(max(values), 4),
            }
        return found
