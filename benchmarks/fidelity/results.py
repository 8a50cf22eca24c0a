"""The trials that were run, kept one by one by machine, and the README's table of them."""

from __future__ import annotations

import importlib
import json
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine import processor
from engine.records import fingerprint

KEPT = Path(__file__).parent.parent / "results" / "fidelity.json"
BENCH = Path(__file__).parent.parent.parent / "engine" / "bench"
README = Path(__file__).parent.parent.parent / "README.md"
_MARK = re.compile(r"(?<=<!-- fidelity: begin -->\n).*?(?=<!-- fidelity: end -->)", re.DOTALL)

_CODE = "code"
"""Under which a trial says by which code it was made; the earliest do not say."""

Trial = dict[str, Any]


class Results:
    """The trials of one part on this machine. Those of others are kept beside them."""

    def __init__(self, part: str) -> None:
        self._part = part
        self.trials: list[Trial] = _load().get(part, {}).get(machine(), {}).get("trials", [])

    def add(self, trial: Trial) -> None:
        """Keep one more, on the disk before the next is begun."""
        self.trials.append(trial | {_CODE: code()})
        found = {"date": datetime.now(UTC).date().isoformat(), "trials": self.trials}
        kept = _load()
        kept[self._part] = kept.get(self._part, {}) | {machine(): found}
        KEPT.parent.mkdir(exist_ok=True)
        staged = KEPT.with_suffix(".part")
        staged.write_text(json.dumps(kept, indent=1) + "\n")
        staged.replace(KEPT)


def code() -> str:
    """What measures, in twelve digits: another ``engine/bench``, other digits."""
    files = sorted(BENCH.rglob("*.py"))
    return fingerprint("bench", *(file.read_text(encoding="utf-8") for file in files))[:12]


def machine() -> str:
    """Where it was measured, in words."""
    return f"{processor.name()}, {processor.cores()} of {os.cpu_count()} CPUs"


def renew_readme(parts: Sequence[str]) -> None:
    """Draw the table of what has been run so far."""
    README.write_text(_MARK.sub(lambda _: table(parts), README.read_text()))


def table(parts: Sequence[str]) -> str:
    """What has been run so far, in the order of the parts, as the README shows it."""
    rows = [
        "| Proof | Found | Wanted | Trials | Date, machine |",
        "| --- | --- | --- | --- | --- |",
    ]
    kept = _load()
    rows += [_row(name, *one) for name in parts for one in sorted(kept.get(name, {}).items())]
    return "\n".join(rows) + "\n"


def _row(name: str, where: str, found: dict[str, Any]) -> str:
    """A part on one machine."""
    part, trials = importlib.import_module(f"benchmarks.fidelity.{name}"), found["trials"]
    versions = len({trial.get(_CODE) for trial in trials})
    over = f", over {versions} versions of `engine/bench`" if versions > 1 else ""
    cells = (
        part.PROOF,
        part.summary(trials),
        part.WANTED,
        f"{len(trials)} of {part.TRIALS}",
        f"{found['date']}, {where}{over}",
    )
    return f"| {' | '.join(cells)} |"


def _load() -> dict[str, Any]:
    return json.loads(KEPT.read_text()) if KEPT.exists() else {}
