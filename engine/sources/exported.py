"""torch.export programs (.pt2), read for what they would make PyTorch evaluate before it does."""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path
from typing import Any

from engine.errors import UnsafeModel
from engine.registry import format_named
from engine.sources import archive, pickles, programs
from engine.sources.model import Found, Progress, Recognised, Wanted
from engine.sources.originals import bring, place, recognised
from engine.sources.trying import agreed, bounded, runs
from engine.types import Signature

KINDS = ("exported",)
_MEMBERS = re.compile(
    r"archive_format|archive_version|byteorder|version|\.data/(?:version|serialization_id)"
    r"|\.format_version|\.storage_alignment"
    r"|models/\w+\.json|extra/[\w.\-]+"
    r"|data/weights/(?:weight_\d+|\w+_weights_config\.json)"
    r"|data/constants/(?:tensor_\d+|\w+_constants_config\.json)"
    r"|data/sample_inputs/\w+\.pt",
    re.ASCII,
)
_PROGRAM_LIMIT = 512 << 20
_SAMPLE_LIMIT = 1 << 30


def recognise(found: Found, wanted: Wanted, out: Path, progress: Progress) -> Recognised:
    """Check it, then load it; its signature is its own."""
    progress("Looking for known-bad patterns", 0.1)
    with archive.opened(found.path) as source, tempfile.TemporaryDirectory(dir=out) as scratch:
        _check(source, Path(scratch))
    path = place(out, "model.pt2")
    bring(found.path, path)
    progress("Loading the program", 0.4)
    spec = format_named("exported")
    assert spec.read_signature is not None
    carried = _with_ranges(spec.load(path), spec.read_signature(path))
    signature = agreed(carried, wanted.signature) if wanted.signature else carried
    progress("Running it once", 0.7)
    runs("exported", path, signature)
    origin = wanted.origin("carried")
    return recognised(found, path, "exported", signature, origin)


def _with_ranges(program: Any, signature: Signature) -> Signature:
    """Token ids lie below the rows of the table they are looked up in."""
    rows: dict[str, int] = {}
    for node in program.graph.nodes:
        if node.op == "call_function" and str(node.target) == "aten.embedding.default":
            table, ids = node.args[0], node.args[1]
            rows[ids.name] = int(table.meta["val"].shape[0])
    return bounded(signature, rows)


def _check(source: archive.Archive, scratch: Path) -> None:
    """Every member by its place, for PyTorch reads them all; an unknown place is refused."""
    for name in source.members:
        inner = name.removeprefix(source.root)
        if not _MEMBERS.fullmatch(inner):
            raise UnsafeModel(
                f"This .pt2 holds {inner[:80]!r}, which a plain exported program does not.",
                hint="Compiled code, custom objects and custom operators are not opened: save the "
                "program with torch.export.save.",
            )
        if inner.startswith("models/"):
            programs.check(source.read(name, _PROGRAM_LIMIT))
        elif inner.endswith("_config.json"):
            programs.check_payload(source.read(name, _PROGRAM_LIMIT), inner)
        elif inner.startswith("data/sample_inputs/"):
            _check_samples(source.read(name, _SAMPLE_LIMIT), scratch / "samples.pt")
        else:
            pickles.check_member(source, name)


def _check_samples(data: bytes, scratch: Path) -> None:
    """The example inputs are a pickle, which PyTorch would open without care if care failed."""
    import torch

    if not data:
        return
    scratch.write_bytes(data)
    with archive.opened(scratch) as inner:
        pickles.check_archive(inner)
    try:
        torch.load(io.BytesIO(data), weights_only=True)
    except Exception as error:
        raise UnsafeModel(
            "The example inputs in this .pt2 are more than tensors; opening them could run code.",
            hint="Set program.example_inputs = None before torch.export.save.",
        ) from error
    finally:
        scratch.unlink()
