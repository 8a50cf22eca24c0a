"""A GGUF file: its header is held against every bound before llama.cpp sees a byte of it."""

from __future__ import annotations

from pathlib import Path

from engine.errors import UnsupportedModel
from engine.registry import format_named
from engine.sources.model import Found, Progress, Recognised, Wanted
from engine.sources.originals import bring, place, recognised
from engine.sources.trying import agreed, runs

KINDS = ("gguf",)


def recognise(found: Found, wanted: Wanted, out: Path, progress: Progress) -> Recognised:
    """Read the header, keep the file, and let llama.cpp read a few tokens."""
    spec = format_named("gguf")
    assert spec.read_signature is not None, "a GGUF file says what it takes"
    progress("Reading the header", 0.1)
    signature = spec.read_signature(found.path)
    if wanted.signature:
        signature = agreed(signature, wanted.signature)
    if not spec.available:
        raise UnsupportedModel(
            f"Running a GGUF file needs llama.cpp: {spec.lacks}.",
            hint=f"Install it with: {'; '.join(spec.install_lines)}",
        )
    progress("Copying", 0.3)
    path = place(out, "model.gguf")
    bring(found.path, path)
    progress("Running it once", 0.6)
    runs("gguf", path, signature)
    return recognised(found, path, "gguf", signature, wanted.origin("carried"))
