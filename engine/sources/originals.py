"""Where a recognised original goes, and what is said of it: the part every kind shares."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from engine.files import disk_errors, link_or_copy
from engine.registry import format_named
from engine.settings import settings
from engine.sources.model import Found, Recognised
from engine.types import Signature, SignatureOrigin, Step

FOLDER = "original"


def place(out: Path, name: str) -> Path:
    """The path of the original below ``out``, its parent made new."""
    home = out / FOLDER
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    return home / name


def bring(source: Path, target: Path) -> None:
    """The same bytes at ``target``: a hard link to a file of ours, a copy of anybody else's.

    A link to a file in somebody's models folder would change when they write to it.
    """
    ours = source.resolve().is_relative_to(settings().data_dir)
    with disk_errors():
        if ours:
            link_or_copy(str(source), str(target))
        else:
            shutil.copyfile(source, target)


def recognised(
    found: Found,
    path: Path,
    format: str,
    signature: Signature,
    origin: SignatureOrigin,
    *,
    facts: Mapping[str, str] | None = None,
    notes: tuple[str, ...] = (),
    lineage: tuple[Step, ...] = (),
    barred: str = "",
) -> Recognised:
    """Everything known about an original, its format's own description included."""
    spec = format_named(format)
    parameters, operators, described = spec.describe(path)
    return Recognised(
        path=path,
        name=found.name,
        kind=found.kind,
        format=format,
        signature=signature,
        signature_origin=origin,
        parameters=parameters,
        op_histogram=operators,
        facts={**described, **(facts or {})},
        notes=(*found.notes, *notes),
        lineage=lineage,
        variant=spec.read_variant(path) if spec.read_variant else "",
        listings=spec.inspect(path) if spec.inspect else (),
        barred=barred,
    )
