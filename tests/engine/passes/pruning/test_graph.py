"""Weights set to zero in ONNX graphs that a person brought."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import changes
from engine.data.drawn import DrawnSamples
from engine.errors import BadRequest, UnsupportedModel
from engine.onnxfile import load
from engine.pipeline.planning import way
from engine.types import Artifact, Change, Target
from tests import models

RNG = np.random.default_rng(0)
FIRST, SECOND = (RNG.normal(size=(4, 8)), 0.1 * RNG.normal(size=(8, 4)))


def brought(path: Path) -> Artifact:
    constants = {"a.weight": FIRST.astype("f"), "b.weight": SECOND.astype("f")}
    nodes = [
        ("MatMul", ["x", "a.weight"], ["h"]),
        ("Relu", ["h"], ["r"]),
        ("MatMul", ["r", "b.weight"], ["y"]),
    ]
    return models.onnx_model(path, nodes, constants)


def pruned(source: Artifact, out: Path, **options: Any) -> dict[str, np.ndarray]:
    from onnx import numpy_helper

    samples = DrawnSamples(source.signature, 4)
    made = models.changed(source, Change("prune-weights", options), out, samples)
    return {item.name: numpy_helper.to_array(item) for item in load(made.path).graph.initializer}


def test_the_smallest_weights_of_each_layer_are_zero(tmp_path: Path) -> None:
    found = pruned(brought(tmp_path / "m.onnx"), tmp_path / "made", amount=0.75)
    for name, before in (("a.weight", FIRST), ("b.weight", SECOND)):
        kept = found[name] != 0
        assert kept.mean() == 0.25
        assert np.allclose(found[name][kept], before[kept])
        assert np.abs(before[~kept]).max() <= np.abs(before[kept]).min()


def test_across_the_graph_the_layer_of_small_weights_gets_the_zeros(tmp_path: Path) -> None:
    found = pruned(brought(tmp_path / "m.onnx"), tmp_path / "made", amount=0.4, scope="global")
    shares = {name: float((array == 0).mean()) for name, array in found.items()}
    assert shares["b.weight"] > 0.6
    assert shares["a.weight"] < 0.2
    assert sum(int((array == 0).sum()) for array in found.values()) == int(0.4 * 32) * 2


def test_two_of_four_lie_along_what_is_summed(tmp_path: Path) -> None:
    found = pruned(brought(tmp_path / "m.onnx"), tmp_path / "made", pattern="2-4")
    assert ((found["a.weight"].T.reshape(-1, 4) == 0).sum(axis=1) == 2).all()
    assert ((found["b.weight"].T.reshape(-1, 4) == 0).sum(axis=1) == 2).all()


def test_layers_are_named_as_the_model_calls_them(tmp_path: Path) -> None:
    source = brought(tmp_path / "m.onnx")
    found = pruned(source, tmp_path / "made", layers="a=0")
    assert (found["a.weight"] != 0).all()
    with pytest.raises(BadRequest, match="There is no layer 'c'"):
        pruned(source, tmp_path / "again", layers="c=0.1")


def test_what_cannot_be_done_on_a_graph_is_refused(tmp_path: Path) -> None:
    source = brought(tmp_path / "m.onnx")
    with pytest.raises(BadRequest, match="A finished ONNX graph is not trained here"):
        pruned(source, tmp_path / "made", epochs=1)
    with pytest.raises(BadRequest, match=r"every weight of the layer 'b'"):
        pruned(source, tmp_path / "global", amount=0.8, scope="global")
    bare = models.onnx_model(tmp_path / "bare.onnx", [("Relu", ["x"], ["y"])])
    with pytest.raises(UnsupportedModel, match="no convolution or matrix product"):
        pruned(bare, tmp_path / "bare-made")
    assert "it is done on PyTorch" in str(changes.refusal("prune-channels", source))


def test_a_pytorch_model_is_pruned_before_it_is_converted(tmp_path: Path) -> None:
    source = models.eager(tmp_path / "model")
    target = Target("onnx", passes=(Change("prune-weights"),))
    assert [[change.name for change in done] for _, done in way(source, target)] == [
        ["prune-weights"],
        [],
    ]
