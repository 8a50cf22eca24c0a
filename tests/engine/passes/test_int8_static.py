"""Calibrated INT8 on ONNX: what is quantized, with which ranges and signs, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from engine import processor
from engine.data.drawn import DrawnSamples
from engine.data.model import Samples
from engine.errors import BadRequest, UnsupportedModel
from engine.knowledge import pass_reach
from engine.onnxfile import file_of, load
from engine.passes.int8_static.signs import signs_for
from engine.registry import edge, format_named
from engine.types import Artifact, Change
from tests import models
from tests.engine.passes.given import ListedSamples

ONE = np.zeros((1, 1, 8, 8), np.float32)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    out = tmp_path_factory.mktemp("digits")
    return models.converted(models.eager(out / "torch"), "onnx", out / "onnx")


def quantized(
    source: Artifact, out: Path, samples: Samples | None = None, target: str = "", **options: Any
) -> Artifact:
    given = samples or DrawnSamples(source.signature, 4)
    return models.changed(source, Change("int8-static", options), out, given, target)


def pairs(made: Artifact) -> dict[str, Any]:
    """The zero points of a quantized graph, by name."""
    graph = load(made.path).graph
    points = {node.input[2] for node in graph.node if node.op_type == "QuantizeLinear"}
    return {
        item.name: onnx.numpy_helper.to_array(item)
        for item in graph.initializer
        if item.name in points
    }


@pytest.mark.parametrize("method", ["minmax", "entropy", "percentile"])
def test_each_method_keeps_the_answers(digits: Artifact, tmp_path: Path, method: str) -> None:
    samples = DrawnSamples(digits.signature, 32)
    made = quantized(digits, tmp_path / "made", samples, method=method)
    feed = {"image": np.concatenate([one["image"] for one in samples.feeds()])}
    before, after = models.infer(digits, feed)["logits"], models.infer(made, feed)["logits"]
    assert np.linalg.norm(after - before) < 0.05 * np.linalg.norm(before)
    assert made.size_bytes < 0.7 * digits.size_bytes


def test_the_same_samples_make_the_same_file(digits: Artifact, tmp_path: Path) -> None:
    made = [quantized(digits, tmp_path / name) for name in "ab"]
    assert made[0].sha256 == made[1].sha256


def test_a_layer_is_left_in_float_by_its_name(digits: Artifact, tmp_path: Path) -> None:
    made = quantized(digits, tmp_path / "made", exclude="9; node_Conv_*9")
    graph = load(made.path).graph
    dequantized = {
        n for node in graph.node if node.op_type == "DequantizeLinear" for n in node.output
    }
    found = {
        node.op_type: node.input[1] in dequantized
        for node in graph.node
        if node.op_type in ("Conv", "Gemm")
    }
    assert found == {"Conv": True, "Gemm": False}
    with pytest.raises(BadRequest, match=r"no node or layer 'node_Conv_2'.*Near it: node_Conv_20"):
        quantized(digits, tmp_path / "wrong", exclude="node_Conv_2")
    with pytest.raises(BadRequest, match="nothing is left"):
        quantized(digits, tmp_path / "all", exclude="*")


@pytest.mark.parametrize(
    ("feeds", "said"),
    [
        ([], "no sample to calibrate on in 'listed'"),
        ([{"image": ONE}, {"image": ONE * np.nan}], "Sample 1 has NaN"),
        ([{"image": ONE}, {"image": ONE.transpose(0, 2, 3, 1)}], r"Sample 1: .*\[1, 8, 8, 1\]"),
        ([{"picture": ONE}], "Sample 0: The model takes the inputs 'image'"),
        ([{"image": ONE + np.float32(3e38)}] * 2, "Sample 0 gives NaN or infinity at"),
    ],
)
def test_samples_that_cannot_be_used_are_named(
    digits: Artifact, tmp_path: Path, feeds: list[dict[str, np.ndarray]], said: str
) -> None:
    with pytest.raises((BadRequest, UnsupportedModel), match=said):
        quantized(digits, tmp_path / "made", ListedSamples(feeds))
    assert not list((tmp_path / "made").iterdir())


def test_a_model_without_products_says_what_it_has(tmp_path: Path) -> None:
    source = models.onnx_model(tmp_path / "relu.onnx", [("Relu", ["x"], ["y"])])
    with pytest.raises(UnsupportedModel, match=r"Nothing to quantize.*Relu \(1×\)"):
        quantized(source, tmp_path / "made")


def test_a_graph_with_pairs_is_not_quantized_again(digits: Artifact, tmp_path: Path) -> None:
    made = quantized(digits, tmp_path / "once")
    with pytest.raises(UnsupportedModel, match="quantized already"):
        quantized(made, tmp_path / "twice")


def test_signs_follow_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {}
    for flags in ("avx2", "avx2 avx512f avx512_vnni", "avx2 avx_vnni", "asimd asimddp"):
        monkeypatch.setattr(processor, "features", lambda flags=flags: frozenset(flags.split()))
        monkeypatch.setattr(processor, "is_arm", lambda flags=flags: "asimd" in flags)
        signs = signs_for("auto", "onnx")
        found[flags] = signs.name, signs.reduced
        assert signs.symmetric == signs.signed == ("asimd" in flags)
    assert list(found.values()) == [
        ("U8S8, 7-bit weights", True),
        ("U8S8", False),
        ("U8S8", False),
        ("S8S8", False),
    ]


def test_tensorrt_takes_what_is_made_for_it(digits: Artifact, tmp_path: Path) -> None:
    made = quantized(digits, tmp_path / "made", target="tensorrt_plan")
    zeros = pairs(made)
    assert zeros and all(item.dtype == np.int8 and not item.any() for item in zeros.values())
    plan = models.converted(made, "tensorrt_plan", tmp_path / "plan")
    notes = " ".join(
        edge("onnx", "tensorrt_plan")(
            made, tmp_path / "again", format_named("tensorrt_plan").options()
        ).step.notes
    )
    assert "3 of 3 convolutions and products run in INT8" in notes
    assert file_of(plan.path).is_file()


def test_tensorflow_computes_the_pairs_as_onnx_runtime_does(
    digits: Artifact, tmp_path: Path
) -> None:
    made = quantized(digits, tmp_path / "made", target="savedmodel")
    there = models.converted(made, "savedmodel", tmp_path / "there")
    feed = {"image": np.random.default_rng(0).random((3, 1, 8, 8), np.float32)}
    exact = models.infer(made, feed)["logits"]
    # A value between two steps may be rounded to either: one step of the output's 255.
    step = float(np.ptp(exact)) / 100
    assert np.abs(models.infer(there, feed)["logits"] - exact).max() < step
    assert "LiteRT" in pass_reach(digits, "savedmodel")["int8-static"].reason


def test_weights_beside_the_graph_are_read_and_written(
    digits: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "folder"
    home.mkdir()
    onnx.save_model(
        load(digits.path),
        str(home / "model.onnx"),
        save_as_external_data=True,
        location="w.data",
        size_threshold=0,
    )
    source = models.artifact("onnx", home, digits.signature)
    assert quantized(source, tmp_path / "small").size_bytes < 30_000
    for place in ("engine.passes.int8_static.onnx", "engine.onnxfile"):
        monkeypatch.setattr(f"{place}.PROTOBUF_LIMIT", 1000)
    large = quantized(source, tmp_path / "large")
    assert {path.name for path in large.path.parent.iterdir()} == {"model.onnx", "model.onnx.data"}
    feed = {"image": ONE}
    assert models.infer(large, feed)["logits"].shape == (1, 10)
