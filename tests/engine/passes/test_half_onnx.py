"""Half precision on ONNX: what it does, where it goes on to, and where it is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from engine import changes, processor
from engine.data.drawn import DrawnSamples
from engine.errors import BadRequest, UnsupportedModel
from engine.knowledge import pass_reach
from engine.onnxfile import load
from engine.types import Artifact, Change
from tests import models

ANYWAY = {"anyway": True}


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    out = tmp_path_factory.mktemp("digits")
    return models.converted(models.eager(out / "torch"), "onnx", out / "onnx")


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that computes in no half precision."""
    monkeypatch.setattr(processor, "features", lambda: frozenset({"avx2"}))
    monkeypatch.setattr(processor, "is_arm", lambda: False)


def halved(source: Artifact, out: Path, name: str, target: str = "", **options: bool) -> Artifact:
    samples = DrawnSamples(source.signature, 1)
    return models.changed(source, Change(name, options), out, samples, target)


@pytest.mark.parametrize("target", ["", "savedmodel"])
@pytest.mark.usefixtures("plain")
def test_what_would_only_be_slower_is_said_refused_and_done_on_request(
    digits: Artifact, tmp_path: Path, target: str
) -> None:
    assert "this processor" in pass_reach(digits, target or "onnx")["fp16"].reason
    with pytest.raises(UnsupportedModel, match=r"this processor .*anyway=yes"):
        halved(digits, tmp_path / "no", "fp16", target)
    assert halved(digits, tmp_path / "yes", "fp16", target, anyway=True).size_bytes < 30_000
    assert not changes.caution("fp16", "onnx", "tensorrt_plan")


def test_a_processor_that_has_it_is_not_warned(
    digits: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "features", lambda: frozenset({"avx512_bf16", "avx512_fp16"}))
    monkeypatch.setattr(processor, "is_arm", lambda: False)
    for name in ("fp16", "bf16"):
        assert not changes.caution(name, "onnx", "savedmodel")
        halved(digits, tmp_path / name, name, "savedmodel")


def test_inputs_and_outputs_are_half_where_asked(digits: Artifact, tmp_path: Path) -> None:
    made = halved(digits, tmp_path / "made", "fp16", anyway=True, keep_io=False)
    assert [spec.dtype for spec in (*made.signature.inputs, *made.signature.outputs)] == [
        "float16",
        "float16",
    ]
    answer = models.infer(made, {"image": np.ones((2, 1, 8, 8), np.float16)})["logits"]
    assert answer.dtype == np.float16
    with pytest.raises(BadRequest, match="no such type"):
        halved(digits, tmp_path / "bf16", "bf16", "savedmodel", anyway=True, keep_io=False)


def test_weights_become_bf16_by_one_rounding(digits: Artifact, tmp_path: Path) -> None:
    made = load(halved(digits, tmp_path / "made", "bf16", "savedmodel", anyway=True).path)
    before = {item.name: item for item in load(digits.path).graph.initializer}
    kinds = {item.name: item.data_type for item in made.graph.initializer}
    assert kinds["0.weight"] == onnx.TensorProto.BFLOAT16
    assert onnx.TensorProto.FLOAT16 not in kinds.values()
    for item in made.graph.initializer:
        if item.data_type == onnx.TensorProto.BFLOAT16:
            exact = onnx.numpy_helper.to_array(before[item.name])
            found = onnx.numpy_helper.to_array(item).astype(np.float32)
            assert np.all(np.abs(found - exact) <= 2.0**-8 * np.abs(exact))


def test_operators_that_stay_float_are_named(tmp_path: Path) -> None:
    nodes = [("MatMul", ["x", "w"], ["a"]), ("Max", ["a", "x"], ["y"])]
    weights = {"w": np.eye(4, dtype=np.float32) * 1e6}
    source = models.onnx_model(tmp_path / "max.onnx", nodes, weights)
    made = models.changed_step(source, Change("fp16", ANYWAY), tmp_path / "made")
    notes = " ".join(made.step.notes)
    assert "stay FP32, with casts around them: Max (1×)" in notes
    assert "Larger than FP16 holds, and now ±65504: 4 constant values" in notes


def test_bf16_does_not_end_as_onnx(digits: Artifact) -> None:
    found = pass_reach(digits, "onnx")["bf16"]
    assert not found.reachable
    assert "ONNX Runtime runs no BF16" in found.reason
    assert pass_reach(digits, "savedmodel")["bf16"].reachable
