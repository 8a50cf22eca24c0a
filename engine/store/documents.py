"""Artifacts, models and data as documents: paths below the data folder are kept relative to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.data.model import Dataset
from engine.records import dump, parse
from engine.settings import settings
from engine.types import Artifact, Model


def from_artifact(artifact: Artifact) -> dict[str, Any]:
    """An artifact as stored."""
    return _relative(dump(artifact))


def to_artifact(document: dict[str, Any]) -> Artifact:
    """An artifact as it was, its path absolute again."""
    return parse(Artifact, _absolute(document))


def from_model(model: Model) -> dict[str, Any]:
    """A model as stored."""
    document: dict[str, Any] = dump(model)
    return {**document, "artifact": _relative(document["artifact"])}


def to_model(document: dict[str, Any]) -> Model:
    """A model as it was, its artifact's path absolute again."""
    return parse(Model, {**document, "artifact": _absolute(document["artifact"])})


def from_data(data: Dataset) -> dict[str, Any]:
    """A data set as stored."""
    return _relative(dump(data))


def to_data(document: dict[str, Any]) -> Dataset:
    """A data set as it was, its path absolute again."""
    return parse(Dataset, _absolute(document))


def _relative(artifact: dict[str, Any]) -> dict[str, Any]:
    path, home = Path(artifact["path"]), settings().data_dir
    kept = path.relative_to(home) if path.is_relative_to(home) else path
    return {**artifact, "path": kept.as_posix()}


def _absolute(artifact: dict[str, Any]) -> dict[str, Any]:
    return {**artifact, "path": str(settings().data_dir / artifact["path"])}
