"""Which file of an artifact holds its graph, and whether a viewer in the browser can open it."""

from __future__ import annotations

from pathlib import Path

from engine.registry import format_named
from engine.types import Artifact

LARGEST = 500_000_000
"""Bytes. A browser holds the whole file in memory, some of it twice."""
_NAMES = ("saved_model.pb", "*.onnx", "*.gguf", "*.pt2", "*.pt", "*.keras")


def graph_file(artifact: Artifact) -> Path:
    """The one file to open: the artifact itself, or the graph among the files of its folder."""
    if artifact.path.is_file():
        return artifact.path
    found = (file for name in _NAMES for file in sorted(artifact.path.rglob(name)))
    return next(found, artifact.path)


def graph_part(artifact: Artifact) -> int | None:
    """How many bytes from the start of that file are enough; None for all of them."""
    count = format_named(artifact.format).graph_bytes
    return count(graph_file(artifact)) if count else None


def viewable(artifact: Artifact) -> str | None:
    """Why the graph cannot be shown, in one sentence; None where it can."""
    spec, file = format_named(artifact.format), graph_file(artifact)
    if not file.is_file() and artifact.format == "tensorrt":
        return "An engine is compiled and has no graph any more: look at the ONNX it is made from."
    if not file.is_file():
        return (
            "An eager PyTorch model is code and has no graph of its own: convert it, and look at "
            "the graph of what was made."
        )
    size = file.stat().st_size
    if size > LARGEST and spec.graph_bytes is None:
        return (
            f"The file has {size / 1e6:,.0f} MB; a browser opens at most {LARGEST / 1e6:,.0f} MB."
        )
    return None
