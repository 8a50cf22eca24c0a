"""INT8 dynamic and INT4 on ONNX: what of a transformer is quantized, left, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from engine.errors import BadRequest, UnsupportedModel
from engine.onnxfile import load
from engine.types import Artifact, Change
from tests import models

OWN = {"int8-dynamic": "MatMulInteger", "int4": "MatMulNBits"}


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    out = tmp_path_factory.mktemp("llama")
    eager = models.eager(out / "torch", "transformers", models.LLAMA)
    return models.converted(eager, "onnx", out / "onnx")


def counted(path: Path) -> dict[str, int]:
    nodes = [node.op_type for node in load(path).graph.node]
    return {name: nodes.count(name) for name in set(nodes)}


@pytest.mark.parametrize("name", OWN)
def test_products_with_weights_are_quantized_and_the_others_named(
    llama: Artifact, tmp_path: Path, name: str
) -> None:
    made = models.changed_step(llama, Change(name), tmp_path / "made")
    path = tmp_path / "made" / "model.onnx"
    assert counted(path)[OWN[name]] == 15
    assert "15 of 19" in made.step.notes[0]
    assert "In float: model.model.layers.0.self_attn, model.model.layers.1.self_attn." in (
        made.step.notes
    )
    assert path.stat().st_size < 0.6 * llama.size_bytes
    assert not {item.domain for item in load(path).opset_import} - {"", "com.microsoft"}


@pytest.mark.parametrize("name", OWN)
def test_layers_are_left_in_float_by_name(llama: Artifact, tmp_path: Path, name: str) -> None:
    options = {"exclude": "*.mlp.*; *lm_head"}
    made = models.changed_step(llama, Change(name, options), tmp_path / "made")
    assert counted(tmp_path / "made" / "model.onnx")[OWN[name]] == 8
    assert "model.model.layers.0.mlp.gate_proj" in " ".join(made.step.notes)
    with pytest.raises(BadRequest, match="nothing would change"):
        models.changed_step(llama, Change(name, {"exclude": "*"}), tmp_path / "all")
    with pytest.raises(BadRequest, match=r"'lm_heat'.*Near it: .*lm_head"):
        models.changed_step(llama, Change(name, {"exclude": "lm_heat"}), tmp_path / "wrong")


def test_smaller_blocks_are_closer_and_larger(llama: Artifact, tmp_path: Path) -> None:
    feed = {"input_ids": np.arange(12, dtype=np.int64).reshape(1, 12)}
    exact = models.infer(llama, feed)["logits"]
    sizes, errors = [], []
    for block in ("16", "64"):
        out = tmp_path / block
        models.changed_step(llama, Change("int4", {"block": block, "accuracy": "1"}), out)
        made = models.artifact("onnx", out / "model.onnx", llama.signature)
        sizes.append(made.size_bytes)
        errors.append(float(np.linalg.norm(models.infer(made, feed)["logits"] - exact)))
    assert sizes[0] > sizes[1]
    assert errors[0] < errors[1] < float(np.linalg.norm(exact))


@pytest.mark.parametrize("name", OWN)
def test_a_model_without_such_products_says_what_it_has(tmp_path: Path, name: str) -> None:
    nodes = [("MatMul", ["x", "x"], ["a"]), ("Relu", ["a"], ["y"])]
    source = models.onnx_model(tmp_path / "no.onnx", nodes, shape=(4, 4))
    with pytest.raises(UnsupportedModel, match=r"Nothing to quantize.*MatMul \(1×\), Relu \(1×\)"):
        models.changed_step(source, Change(name), tmp_path / "made")


@pytest.mark.parametrize("name", OWN)
def test_a_folder_with_weights_beside_the_graph_is_read(
    llama: Artifact, tmp_path: Path, name: str
) -> None:
    home = tmp_path / "folder"
    home.mkdir()
    how = {"save_as_external_data": True, "location": "w.data", "size_threshold": 0}
    onnx.save_model(load(llama.path), str(home / "m.onnx"), **how)
    source = models.artifact("onnx", home, llama.signature)
    models.changed_step(source, Change(name), tmp_path / "made")
    assert {item.name for item in (tmp_path / "made").iterdir()} == {"model.onnx"}
    assert {item.name for item in home.iterdir()} == {"m.onnx", "w.data"}


def test_convolutions_are_quantized_dynamically_only_on_request(tmp_path: Path) -> None:
    digits = models.converted(models.eager(tmp_path / "torch"), "onnx", tmp_path / "onnx")
    plain = models.changed_step(digits, Change("int8-dynamic"), tmp_path / "plain")
    assert plain.step.notes[1] == "In float: 0, 4."
    models.changed_step(digits, Change("int8-dynamic", {"conv": True}), tmp_path / "conv")
    assert counted(tmp_path / "conv" / "model.onnx")["ConvInteger"] == 2
