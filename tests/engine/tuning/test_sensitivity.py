"""The layers of a quantized graph against the float one: each by itself, and all together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.data.drawn import DrawnSamples
from engine.errors import UnsupportedModel
from engine.tuning import sensitivity
from engine.tuning.model import DIVERGES_DB, LayerError, Sensitivity
from engine.types import Artifact, Change
from tests import models

RANDOM = np.random.default_rng(3)
# One scale for 900 and 1 keeps nothing of the ones, and the 900 meets a column that is empty.
SPREAD = np.diag([900.0, 1, 1, 1]).astype(np.float32)
EMPTY = np.diag([0.0, 1, 1, 1]).astype(np.float32)
WEIGHTS = {
    "w1": RANDOM.normal(size=(4, 4)).astype(np.float32),
    "w2": RANDOM.normal(size=(4, 4)).astype(np.float32) @ EMPTY,
    "w3": SPREAD,
}


def never_mind(message: str, fraction: float | None = None) -> None:
    """Nobody watches."""


def three_layers(home: Path) -> Artifact:
    """Three products and a ReLU; the third has a large weight that is never used."""
    nodes = [
        ("MatMul", ["x", "w1"], ["a"], {"name": "first"}),
        ("Relu", ["a"], ["b"], {"name": "between"}),
        ("MatMul", ["b", "w2"], ["c"], {"name": "second"}),
        ("MatMul", ["c", "w3"], ["y"], {"name": "third"}),
    ]
    return models.onnx_model(home / "float.onnx", nodes, WEIGHTS)


def samples(of: Artifact, seed: int, count: int = 6) -> DrawnSamples:
    return DrawnSamples(of.signature, count, seed)


def quantized(source: Artifact, out: Path, **options: bool) -> Artifact:
    change = Change("int8-static", options)
    made = models.changed(source, change, out, samples(source, seed=1, count=40))
    return replace(made, id="quantized")


def measured(artifact: Artifact, baseline: Artifact, scratch: Path, count: int = 6) -> Sensitivity:
    drawn = samples(baseline, seed=50, count=count)
    return sensitivity.measure(artifact, baseline, drawn, count, scratch, never_mind)


def test_every_quantized_node_is_compared_in_the_order_it_runs(tmp_path: Path) -> None:
    plain = three_layers(tmp_path)
    found = measured(quantized(plain, tmp_path / "q"), plain, tmp_path / "scratch")
    products = [one for one in found.layers if one.operator == "MatMul"]
    assert [one.node for one in products] == ["first", "second", "third"]
    assert [one.depth for one in found.layers] == sorted(one.depth for one in found.layers)
    assert (found.samples, found.origin, found.unmatched) == (6, "random", ())


def test_the_first_layer_errs_alone_as_it_errs_in_the_whole(tmp_path: Path) -> None:
    """Nothing before it is quantized but its input, in both."""
    plain = three_layers(tmp_path)
    first = measured(quantized(plain, tmp_path / "q"), plain, tmp_path / "scratch").layers[0]
    assert first.sqnr_db == pytest.approx(first.alone_db)
    assert first.sqnr_db is not None and first.sqnr_db > 30


def test_the_figure_is_that_of_the_definition(tmp_path: Path) -> None:
    """The last layer's SQNR, from what the two files answer when they are simply run."""
    plain = three_layers(tmp_path)
    small = quantized(plain, tmp_path / "q")
    found = measured(small, plain, tmp_path / "scratch")
    signal = noise = 0.0
    for feed in samples(plain, seed=50).feeds():
        wanted, given = (models.infer(one, feed)["y"].astype(float) for one in (plain, small))
        signal += (wanted**2).sum()
        noise += ((given - wanted) ** 2).sum()
    assert found.layers[-1].sqnr_db == pytest.approx(10 * np.log10(signal / noise), abs=0.5)


def test_a_layer_that_loses_much_by_itself_comes_first(tmp_path: Path) -> None:
    """One scale for all the third's weights: those in use are gone."""
    plain = three_layers(tmp_path)
    found = measured(
        quantized(plain, tmp_path / "q", per_channel=False), plain, tmp_path / "scratch"
    )
    worst, *others = found.worst_first
    assert worst.node == "third" and worst.alone_db is not None and worst.alone_db < 1
    assert all(one.alone_db is not None and one.alone_db > 25 for one in others)
    assert found.divergence == worst


def test_graphs_without_pairs_have_no_layers_to_compare(tmp_path: Path) -> None:
    plain = three_layers(tmp_path)
    with pytest.raises(UnsupportedModel, match="No node of this graph reads quantized values"):
        measured(plain, plain, tmp_path / "scratch")


def test_a_convolution_is_compared_behind_the_relu_it_swallowed(tmp_path: Path) -> None:
    """The quantizer drops a ReLU whose work the clipping does: SQNR must not see it as noise."""
    plain = models.converted(models.eager(tmp_path / "eager"), "onnx", tmp_path)
    found = measured(quantized(plain, tmp_path / "q"), plain, tmp_path / "scratch")
    losses = [one.sqnr_db for one in found.layers if one.sqnr_db is not None]
    assert len(losses) >= 3 and min(losses) > 25
    assert found.unmatched == ()


def layer(depth: int, sqnr: float | None, alone: float | None) -> LayerError:
    return LayerError(f"n{depth}", "Conv", "", depth, sqnr, alone)


def test_the_divergence_is_the_first_by_depth_and_not_the_deepest_fall() -> None:
    layers = (
        layer(1, 40, 40),
        layer(2, DIVERGES_DB - 1, 22),
        layer(3, 2, 35),
        layer(4, None, None),
    )
    found = Sensitivity("q", "f", 1, "random values", "random", layers, ())
    assert found.divergence == layers[1]
    assert found.worst_first == (layers[1], layers[2], layers[0])
