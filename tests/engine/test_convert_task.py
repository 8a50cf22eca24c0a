"""The convert task, asked as the pipeline asks it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import registry
from engine.records import dump, parse
from engine.tasks import convert
from engine.types import Signature, Step
from engine.verify.model import Verdict
from tests import models


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("onnx", "onnx/model.onnx"),
        ("torchscript", "torchscript/model.pt"),
        ("exported", "exported/model.pt2"),
    ],
)
def test_it_answers_with_path_signature_and_step(target: str, path: str, tmp_path: Path) -> None:
    source = models.eager(tmp_path / "source")
    context = models.task_folder(tmp_path / "out")
    request = {
        "artifact": dump(source),
        "change": None,
        "target": target,
        "options": {},
    }
    result = convert.run(request, context)
    assert result["path"] == path
    made = {item.name for item in context.out.rglob("*") if item.is_file()}
    assert made - {registry.REPORT} == {Path(path).name}
    assert parse(Signature, result["signature"]) == source.signature
    step = parse(Step, result["step"])
    assert step.seconds > 0
    assert step.version.startswith("2.")
    fractions = [fraction for _, fraction in context.said]
    assert fractions == sorted(fractions, key=lambda value: value or 0)


def test_weights_too_large_for_one_file_make_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.onnxfile.PROTOBUF_LIMIT", 1000)
    source = models.eager(tmp_path / "source")
    context = models.task_folder(tmp_path / "out")
    request = {
        "artifact": dump(source),
        "change": None,
        "target": "onnx",
        "options": {},
    }
    result = convert.run(request, context)
    assert result["path"] == "onnx/model"
    folder = context.out / result["path"]
    assert "model.onnx" in {item.name for item in folder.iterdir()}
    made = models.artifact("onnx", folder, parse(Signature, result["signature"]))
    assert made.size_bytes > 4 * 1000
    assert models.verified(source, made, tmp_path).verdict is Verdict.EQUIVALENT
