"""What an artifact is held against is what it was made from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine import store
from engine.pipeline.explaining import before_pruning
from engine.types import Artifact, Change, Model, Step
from tests.engine.store.conftest import a_model, an_artifact

PRUNED = (Change("prune-channels"),)


@pytest.fixture
def model(workspace: Path) -> Model:
    model = a_model("m", workspace)
    store.models.save(model)
    return model


def made(source: Artifact, name: str, step: Step, *changes: Change) -> Artifact:
    """An artifact that this step made, kept."""
    lineage = (*source.lineage, step)
    artifact = replace(source, id=name, lineage=lineage, passes=(*source.passes, *changes))
    store.artifacts.save(artifact, "m")
    return artifact


def pruned(name: str, data: str, folder: Path) -> Artifact:
    step = Step("prune", "torch-pruning", "1.6", {"ratio": 0.3, "data sha256": data})
    return made(an_artifact(name, folder), name, step, *PRUNED)


def test_of_two_prunings_it_is_the_one_that_the_artifact_came_from(
    model: Model, workspace: Path
) -> None:
    first, second = (pruned(name, name, workspace / "artifacts") for name in ("ab", "cd"))
    onward = Step("convert", "torch", "2.13")
    smaller = Step("quantize", "onnxruntime", "1.27")
    for source in (first, second):
        converted = made(source, f"{source.id}-onnx", onward)
        quantized = made(converted, f"{source.id}-int8", smaller, Change("int8-dynamic"))
        assert before_pruning(quantized, model) == before_pruning(converted, model) == source


def test_without_a_pruning_it_is_the_model(model: Model, workspace: Path) -> None:
    plain = an_artifact("plain", workspace / "artifacts")
    assert before_pruning(plain, model) == model.artifact
    quantized = made(plain, "int8", Step("quantize", "x", "1"), Change("int8-dynamic"))
    assert before_pruning(quantized, model) == model.artifact


def test_a_pruning_that_is_not_kept_stands_for_no_other(model: Model, workspace: Path) -> None:
    other = pruned("ab", "ab", workspace / "artifacts")
    orphan = replace(other, id="x", lineage=(Step("prune", "torch-pruning", "1.6", {"r": 1}),))
    assert before_pruning(orphan, model) == model.artifact
