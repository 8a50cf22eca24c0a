"""Channels and heads, taken out for good: shapes, sizes, several in a row, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.architectures import folder, surgery
from engine.data.drawn import DrawnSamples
from engine.errors import BadRequest, EngineError, InvalidModel, UnsupportedModel
from engine.passes.pruning.checks import figures
from engine.types import Artifact, Change
from engine.verify.inputs import feed
from tests import models

VIT = {
    "model_type": "vit",
    "architectures": ["ViTForImageClassification"],
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "image_size": 16,
    "patch_size": 8,
}
RESNET = {
    "model_type": "resnet",
    "architectures": ["ResNetForImageClassification"],
    "embedding_size": 16,
    "hidden_sizes": [32, 64],
    "depths": [2, 2],
    "image_size": 32,
}
DISTILBERT = {
    "model_type": "distilbert",
    "architectures": ["DistilBertForSequenceClassification"],
    "dim": 32,
    "n_layers": 2,
    "n_heads": 4,
    "hidden_dim": 64,
    "vocab_size": 99,
}
BERT = {**models.BERT, "num_attention_heads": 4, "num_hidden_layers": 2}
CASES: dict[str, tuple[str, dict[str, Any] | None]] = {
    "digits": ("digits", None),
    "resnet18": ("resnet18", {"image_size": 32, "widths": [16, 32, 32, 32]}),
    "HF ResNet": ("transformers", RESNET),
    "ViT": ("transformers", VIT),
    "BERT": ("transformers", BERT),
    "DistilBERT": ("transformers", DISTILBERT),
    "Llama with grouped queries": ("transformers", models.LLAMA),
}


def pruned(source: Artifact, out: Path, **options: Any) -> Artifact:
    samples = DrawnSamples(source.signature, 4)
    return models.changed(source, Change("prune-channels", options), out, samples)


def cost(model: Artifact) -> Any:
    return figures(folder.build(model.path), model.signature)


@pytest.mark.parametrize("name", CASES)
def test_a_pruned_model_is_smaller_computes_less_and_is_pruned_again(
    name: str, tmp_path: Path
) -> None:
    source = models.eager(tmp_path / "model", *CASES[name])
    once = pruned(source, tmp_path / "once", ratio=0.5)
    twice = pruned(once, tmp_path / "twice", ratio=0.5, multiple=1)
    costs = [cost(model) for model in (source, once, twice)]
    assert costs[0].macs > costs[1].macs > costs[2].macs
    assert costs[0].parameters > costs[1].parameters > costs[2].parameters
    assert source.size_bytes > once.size_bytes > twice.size_bytes
    for batch in (1, 3):
        given = feed(twice.signature, "random", batch, 0)
        (wanted, *_), (found, *_) = (
            list(models.infer(model, given).values()) for model in (source, twice)
        )
        assert wanted.shape == found.shape


def test_the_least_important_channels_go_and_the_rest_stays_as_it_was(tmp_path: Path) -> None:
    source = models.eager(tmp_path / "model")
    before = folder.bare(source.path).state_dict()
    made = pruned(source, tmp_path / "made", ratio=0.25, layers="4=0", importance="l1", multiple=1)
    after = folder.bare(made.path).state_dict()
    assert after["0.weight"].shape[0] == 12
    assert after["4.weight"].shape == (32, 12, 3, 3)
    rows = [
        next(i for i in range(16) if np.array_equal(before["0.weight"][i], row))
        for row in after["0.weight"]
    ]
    assert rows == sorted(rows)
    assert np.array_equal(before["1.running_var"][rows], after["1.running_var"])
    assert np.array_equal(before["4.weight"][:, rows], after["4.weight"])
    assert np.array_equal(before["9.weight"], after["9.weight"])


def test_a_llama_pruned_alike_in_every_layer_says_so_in_its_config(tmp_path: Path) -> None:
    source = models.eager(tmp_path / "model", "transformers", models.LLAMA)
    made = pruned(source, tmp_path / "made", ratio=0.5)
    assert surgery.read(made.path) == surgery.Surgery()
    config = folder.read_spec(made.path).config
    assert config["intermediate_size"] == 64
    assert (config["num_attention_heads"], config["num_key_value_heads"]) == (2, 1)
    assert config["head_dim"] == 16


def test_layers_of_different_widths_are_kept_as_surgery_and_refused_by_gguf(
    tmp_path: Path,
) -> None:
    from engine.registry import refusal

    source = models.language_model(tmp_path / "model")
    assert refusal(source, "gguf") is None
    alike = pruned(source, tmp_path / "alike", ratio=0.5)
    assert refusal(alike, "gguf") is None
    made = pruned(source, tmp_path / "made", ratio=0.5, layers="model.layers.1=0")
    assert surgery.read(made.path).shapes
    assert (made.path / "tokenizer.model").is_file()
    assert "its config.json cannot say" in str(refusal(made, "gguf"))


def test_attention_is_left_alone_where_that_is_asked_for(tmp_path: Path) -> None:
    source = models.eager(tmp_path / "model", "transformers", BERT)
    made = pruned(source, tmp_path / "made", ratio=0.5, heads="no")
    weights = folder.bare(made.path).state_dict()
    assert weights["encoder.layer.0.attention.self.query.weight"].shape == (32, 32)
    assert weights["encoder.layer.0.intermediate.dense.weight"].shape == (32, 32)


@pytest.mark.parametrize(
    ("architecture", "config", "message"),
    [
        ("transformers", models.GPT2, "GPT2LMHeadModel has no channels that can be removed"),
        ("adaptive", None, "The layer 'calm' has no part in what the model gives"),
    ],
)
def test_what_cannot_be_pruned_is_refused_by_name(
    architecture: str, config: dict[str, Any] | None, message: str, tmp_path: Path
) -> None:
    source = models.eager(tmp_path / "model", architecture, config)
    with pytest.raises(UnsupportedModel, match=message):
        pruned(source, tmp_path / "made")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ratio": "0"}, "must be a number from 0.01 to 0.95. 0 would change nothing"),
        ({"ratio": "1"}, "and 1 would leave nothing"),
        ({"ratio": "1.5"}, "and 1 would leave nothing"),
        ({"layers": "conv1=0.5"}, "There is no layer 'conv1'"),
        ({"layers": "4=1"}, "would empty the layer"),
        ({"ratio": 0.05}, "Nothing would be removed from Sequential"),
        ({"importance": "taylor"}, "Taylor importance works from at least 20 labelled samples"),
        ({"epochs": 2}, "random values has no labels"),
    ],
)
def test_amounts_and_layers_that_do_not_fit_are_refused(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    source = models.eager(tmp_path / "model")
    with pytest.raises(EngineError) as refused:
        pruned(source, tmp_path / "made", **options)
    assert isinstance(refused.value, (BadRequest, UnsupportedModel))
    assert message in str(refused.value)


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    source = models.eager(tmp_path / "model")
    made = pruned(source, tmp_path / "made")
    for text in ("{", '{"schema_version": 9}', '{"attributes": {"0": {"colour": [1]}}}'):
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(made.path, copy)
        (copy / surgery.FILE).write_text(text, encoding="utf-8")
        with pytest.raises(InvalidModel, match=r"surgery\.json in the model's folder is damaged"):
            folder.build(copy)


def test_sizes_that_do_not_fit_the_weights_are_refused(tmp_path: Path) -> None:
    source = models.eager(tmp_path / "model")
    made = pruned(source, tmp_path / "made")
    (made.path / surgery.FILE).unlink()
    with pytest.raises(InvalidModel, match="another shape"):
        folder.build(made.path)
