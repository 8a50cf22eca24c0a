"""Reports that come with Assay: what it measured elsewhere, to look at before bringing a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import engine
from engine.reports.export import import_report
from engine.store import findings, reports

FOLDER = Path(engine.__file__).resolve().parent.parent / "examples"
_LIBRARY, _KIND = "library", "examples"


@dataclass(frozen=True, slots=True)
class Shown:
    """The files whose reports were put into this library once; a deleted one stays away."""

    names: tuple[str, ...]
    schema_version: int = 1

    SCHEMA_VERSION: ClassVar[int] = 1


def show_once(folder: Path = FOLDER) -> tuple[str, ...]:
    """Import every example that this library has never had. Gives the names of their files.

    They go the way of any report that a person imports, and everybody may read them. Raises
    BadRequest for one that is none.
    """
    known = findings.load(_LIBRARY, _KIND, Shown) or Shown(())
    new = tuple(file for file in sorted(folder.glob("*.json")) if file.name not in known.names)
    for file in new:
        shown = import_report(file.read_text(encoding="utf-8"))
        reports.open_to_all(shown.id, open_=True)
    names = tuple(file.name for file in new)
    if names:
        findings.save(_LIBRARY, _KIND, Shown((*known.names, *names)))
    return names
