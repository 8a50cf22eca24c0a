"""What a worker says of a model is its word: what does not fit is refused, and not kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine import store
from engine.errors import EngineError
from engine.pipeline.importing import _keep_model
from engine.records import dump
from tests.engine.store.conftest import SIGNATURE

SAID: dict[str, Any] = {
    "path": "model.onnx", "name": "net", "format": "onnx", "variant": "", "lineage": [],
    "signature": dump(SIGNATURE), "signature_origin": "carried", "kind": "onnx", "parameters": 1,
    "op_histogram": {}, "facts": {}, "notes": [], "barred": "Not to be run.",
}  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"facts": [1]},
        {"op_histogram": {"Relu": "many"}},
        {"parameters": "all"},
        {"signature": {"inputs": "x"}},
        {"signature_origin": "a dream"},
        {"lineage": [{"surprise": 1}]},
    ],
    ids=lambda wrong: str(wrong)[:30],
)
def test_what_is_no_model_is_not_kept(workspace: Path, wrong: dict[str, Any]) -> None:
    out = workspace / "out"
    out.mkdir()
    (out / "model.onnx").write_text("weights")
    with pytest.raises(EngineError) as caught:
        _keep_model(out, SAID | wrong)
    assert str(caught.value)
    assert store.models.recent() == ()


def test_what_should_be_text_is_kept_as_text(workspace: Path) -> None:
    out = workspace / "out"
    out.mkdir()
    (out / "model.onnx").write_text("weights")
    kept = _keep_model(out, SAID | {"facts": {"opset": {"deep": 1}}, "notes": [{}], "kind": 5})
    assert all(isinstance(text, str) for text in (*kept.facts.values(), *kept.notes, kept.kind))
    assert store.models.load(kept.id) == kept


def test_what_is_one_is_kept(workspace: Path) -> None:
    out = workspace / "out"
    out.mkdir()
    (out / "model.onnx").write_text("weights")
    kept = _keep_model(out, SAID)
    assert store.models.load(kept.id) == kept
