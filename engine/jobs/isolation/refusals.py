"""What is not opened where workers are held by limits alone: models that are programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine import registry
from engine.errors import UnsafeModel
from engine.settings import settings

_OWN_CODE = "own_code"
_LIMITS_ALONE = "C"


def refuse_code(request: Mapping[str, Any]) -> None:
    """Raise UnsafeModel where a task would open a model somebody brought that can hold code.

    What Assay made itself out of another model is opened.
    """
    artifact = request.get("artifact")
    if not isinstance(artifact, Mapping):
        return
    brought = Path(artifact["path"]).is_relative_to(settings().models_store)
    if brought and _programs(artifact["format"]):
        raise _refused(artifact["format"])


def refuse_kind(kind: str) -> None:
    """Raise UnsafeModel, in a worker held by limits alone, for a kind that can hold code."""
    if settings().sandbox == _LIMITS_ALONE and _programs(kind):
        raise _refused(kind)


def _programs(kind: str) -> str:
    """What models of a kind of source (mostly a format's name) are called, if they hold code."""
    if kind == _OWN_CODE:
        return "Models with a model.py of their own"
    known = registry.formats().get(kind)
    return f"{known.label} files" if known and known.holds_code else ""


def _refused(kind: str) -> UnsafeModel:
    return UnsafeModel(
        f"{_programs(kind)} are programs, and this machine has no sandbox to run them in.",
        hint="Bring ONNX, or weights with their architecture; or install bubblewrap, or run Assay "
        "on a kernel with Landlock (6.2 or newer). System says what is missing.",
    )
