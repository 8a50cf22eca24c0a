"""A GGUF file: its header is held against every bound before llama.cpp sees a byte of it."""

from __future__ import annotations

from pathlib import Path

from engine.errors import BadRequest, UnsupportedModel
from engine.registry import format_named
from engine.sources.model import Found, Progress, Recognised, Wanted
from engine.sources.originals import bring, place, recognised
from engine.sources.trying import agreed, runs
from engine.types import Signature

KINDS = ("gguf",)


def recognise(found: Found, wanted: Wanted, out: Path, progress: Progress) -> Recognised:
    """Read the header, keep the file, and let llama.cpp read a few tokens.

    What llama.cpp or Assay cannot run is kept all the same, to be looked at.
    """
    progress("Reading the header", 0.1)
    signature, barred = _signature(found, wanted)
    progress("Copying", 0.3)
    path = place(out, "model.gguf")
    bring(found.path, path)
    if not barred:
        progress("Running it once", 0.6)
        barred = _barred(path, signature, wanted)
    if barred:
        signature = Signature(())
    return recognised(found, path, "gguf", signature, wanted.origin("carried"), barred=barred)


def _signature(found: Found, wanted: Wanted) -> tuple[Signature, str]:
    """What goes in and out; empty, with the reason, for a file that cannot be run."""
    spec = format_named("gguf")
    assert spec.read_signature is not None, "a GGUF file says what it takes"
    try:
        signature = spec.read_signature(found.path)
    except UnsupportedModel as error:
        return Signature(()), str(error)
    if wanted.signature:
        signature = agreed(signature, wanted.signature)
    if spec.available:
        return signature, ""
    lines = "; ".join(spec.install_lines)
    why = f"Running a GGUF file needs llama.cpp: {spec.lacks}. Install it with: {lines}"
    return signature, why


def _barred(path: Path, signature: Signature, wanted: Wanted) -> str:
    """Why llama.cpp does not run it; empty where it does. Raises what a person's signature did."""
    try:
        runs("gguf", path, signature)
    except (UnsupportedModel, BadRequest) as error:
        if wanted.signature:
            raise
        # What is behind it has the hint for the file; the other is about signatures.
        return str(error.__cause__ or error)
    return ""
