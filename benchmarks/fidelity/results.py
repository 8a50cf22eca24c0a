"""The trials that were run, kept one by one, and the README's table of what they come to."""

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
    """The trials of one part. Those of another machine are not added to, but begun anew."""

    def __init__(self, part: str) -> None:
        self._part = part
        known = _load().get(part, {})
        same = known.get("machine") == machine()
        self.trials: list[Trial] = known["trials"] if same else []

    def add(self, trial: Trial) -> None:
        """Keep one more, on the disk before the next is begun."""
        self.trials.append(trial | {_CODE: code()})
        found = {
            "date": datetime.now(UTC).date().isoformat(),
            "machine": machine(),
            "trials": self.trials,
        }
        KEPT.parent.mkdir(exist_ok=True)
        staged = KEPT.with_suffix(".part")
        staged.write_text(json.dumps(_load() | {self._part: found}, indent=1) + "\n")
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
    for name in (name for name in parts if name in kept):
        known = kept[name]
        part = importlib.import_module(f"benchmarks.fidelity.{name}")
        done, where = len(known["trials"]), f"{known['date']}, {known['machine']}"
        versions = len({trial.get(_CODE) for trial in known["trials"]})
        where += f", over {versions} versions of `engine/bench`" if versions > 1 else ""
        cells = (part.PROOF, part.summary(known["trials"]), part.WANTED)
        rows.append(f"| {' | '.join(cells)} | {done} of {part.TRIALS} | {where} |")
    return "\n".join(rows) + "\n"


def _load() -> dict[str, Any]:
    return json.loads(KEPT.read_text()) if KEPT.exists() else {}
