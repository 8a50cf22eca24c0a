"""What is not opened where workers are held by limits alone: models that are programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import UnsafeModel
from engine.settings import settings

CODE_BEARING = {
    "torchscript": "TorchScript files",
    "exported": "torch.export files (.pt2)",
    "savedmodel": "SavedModels",
    "own_code": "models with a model.py of their own",
}
"""By kind of source and by format: what can do more than compute."""
_LIMITS_ALONE = "C"


def refuse_code(request: Mapping[str, Any]) -> None:
    """Raise UnsafeModel where a task would open a model somebody brought that can hold code.

    What Assay made itself out of another model is opened.
    """
    artifact = request.get("artifact")
    if not isinstance(artifact, Mapping):
        return
    brought = Path(artifact["path"]).is_relative_to(settings().models_store)
    if brought and artifact["format"] in CODE_BEARING:
        raise _refused(artifact["format"])


def refuse_kind(kind: str) -> None:
    """Raise UnsafeModel, in a worker held by limits alone, for a kind that can hold code."""
    if settings().sandbox == _LIMITS_ALONE and kind in CODE_BEARING:
        raise _refused(kind)


def _refused(kind: str) -> UnsafeModel:
    """The error, in words, for a kind of ``CODE_BEARING``."""
    return UnsafeModel(
        f"{CODE_BEARING[kind][0].upper()}{CODE_BEARING[kind][1:]} are programs, and this machine "
        "has no sandbox to run them in.",
        hint="Bring ONNX, or weights with their architecture; or install bubblewrap, or run Assay "
        "on a kernel with Landlock (6.2 or newer). System says what is missing.",
    )
