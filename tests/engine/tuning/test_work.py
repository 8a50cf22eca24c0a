"""What an inference computes and reads, held against a count by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.data.drawn import DrawnSamples
from engine.errors import UnsupportedModel
from engine.tuning.profiling import work_of_onnx
from engine.tuning.work import Work, work_of_torch
from engine.types import Change, Feed
from tests import models

IMAGES: Feed = {"image": np.zeros((2, 1, 8, 8), np.float32)}
PRODUCTS = 2 * 2 * (8 * 8 * 16 * 9 + 4 * 4 * 32 * 16 * 9 + 10 * 128)
"""Of two images: 16 channels of 8 × 8, 32 of 4 × 4, ten classes of 128 values."""
WEIGHTS = 4 * (16 * 9 + 16 + 32 * 16 * 9 + 32 + 128 * 10 + 10)
NORMALS = 4 * 4 * (16 + 32)
"""Scale, shift, mean and variance of every channel; folded into the weights where it is frozen."""
INPUTS, OUTPUTS = 4 * 2 * 64, 4 * 2 * 10


def test_an_eager_net_and_its_script_compute_what_is_counted_by_hand(tmp_path: Path) -> None:
    eager = models.eager(tmp_path / "eager")
    script = models.converted(eager, "torchscript", tmp_path / "script")
    around = INPUTS + OUTPUTS
    assert work_of_torch(eager, IMAGES) == Work(PRODUCTS, 0, 0, WEIGHTS + NORMALS + around)
    assert work_of_torch(script, IMAGES) == Work(PRODUCTS, 0, 0, WEIGHTS + around)


def test_the_graph_that_runs_computes_no_less(tmp_path: Path) -> None:
    """Bias, ReLU and pooling are counted in it, too: an operation for every value they give."""
    plain = models.converted(models.eager(tmp_path / "eager"), "onnx", tmp_path)
    found = work_of_onnx(plain, IMAGES, 1, tmp_path / "scratch")
    assert found.half_operations == found.int8_operations == 0
    assert PRODUCTS <= found.operations <= 1.1 * PRODUCTS
    assert found.bytes == pytest.approx(WEIGHTS + INPUTS + OUTPUTS, rel=0.05)


def test_calibrated_products_are_counted_in_8_bits(tmp_path: Path) -> None:
    plain = models.converted(models.eager(tmp_path / "eager"), "onnx", tmp_path)
    small = models.changed(
        plain, Change("int8-static"), tmp_path / "q", DrawnSamples(plain.signature, 8)
    )
    found = work_of_onnx(small, IMAGES, 1, tmp_path / "scratch")
    assert found.int8_operations >= 0.9 * PRODUCTS
    assert found.bytes < WEIGHTS


def test_of_a_table_only_the_rows_that_are_looked_up_are_read(tmp_path: Path) -> None:
    llama = models.language_model(tmp_path / "llama")
    tokens = {spec.name: np.ones((1, 3), np.int64) for spec in llama.signature.inputs}
    short = work_of_torch(llama, tokens)
    table = 4 * models.LLAMA["vocab_size"] * models.LLAMA["hidden_size"]
    whole = sum(file.stat().st_size for file in llama.path.rglob("*.safetensors"))
    if not models.LLAMA.get("tie_word_embeddings", False):
        assert short.bytes < whole - table / 2
    longer = work_of_torch(llama, {name: np.ones((1, 6), np.int64) for name in tokens})
    assert longer.operations > 1.9 * short.operations, "twice the tokens"


def test_what_the_counter_does_not_know_is_refused(tmp_path: Path) -> None:
    eager = models.eager(tmp_path / "eager")
    small = models.changed(
        eager, Change("int8-dynamic"), tmp_path / "q", DrawnSamples(eager.signature, 1)
    )
    with pytest.raises(UnsupportedModel, match="quantized::linear_dynamic"):
        work_of_torch(small, IMAGES)
