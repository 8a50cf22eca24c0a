"""Whole models, lowered to TensorFlow and judged by the gate: convolutional nets, transformers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine import registry
from engine.verify.model import Verdict
from tests import models

VIT = {
    "model_type": "vit",
    "architectures": ["ViTForImageClassification"],
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
CONVNEXT = {
    "model_type": "convnext",
    "architectures": ["ConvNextForImageClassification"],
    "hidden_sizes": [16, 32],
    "depths": [1, 1],
    "num_stages": 2,
    "image_size": 32,
}
MODELS = {"bert": models.BERT, "vit": VIT, "gpt2": models.GPT2, "convnext": CONVNEXT}


@pytest.mark.parametrize("name", MODELS)
def test_transformers_keep_their_answers_at_every_batch_and_length(
    name: str, tmp_path: Path
) -> None:
    config: Mapping[str, Any] = MODELS[name]
    original = models.eager(tmp_path / "torch", "transformers", config)
    made = models.converted(original, "savedmodel", tmp_path / "made")
    judged = models.verified(original, made, tmp_path / "gate")
    assert judged.verdict in (Verdict.EXACT, Verdict.EQUIVALENT)
    assert len({case.batch for case in judged.cases}) >= 4
    lengths = [case for case in judged.cases if "(" in case.inputs]
    assert bool(lengths) == (name in ("bert", "gpt2"))


def test_a_residual_net_is_transposed_once(tmp_path: Path) -> None:
    """The picture on its way in: everything after it stays channels-last."""
    original = models.eager(tmp_path / "torch", "resnet18", {"num_labels": 10})
    onnx = models.converted(original, "onnx", tmp_path / "onnx")
    made = models.converted(onnx, "savedmodel", tmp_path / "made")
    _, operators, _ = registry.format_named("savedmodel").describe(made.path)
    assert operators["Conv2D"] == 20
    assert operators["Transpose"] == 1
    assert made.size_bytes <= 1.05 * onnx.size_bytes
    judged = models.verified(original, made, tmp_path / "gate")
    assert judged.verdict in (Verdict.EXACT, Verdict.EQUIVALENT)
