"""State dicts into architectures: what fits is loaded, what does not is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.architectures import architecture_named, architectures, folder, spec_for
from engine.errors import BadRequest, InvalidModel, UnsupportedModel
from engine.types import Signature
from engine.verify.inputs import feed
from tests import models


def test_the_folder_is_the_list() -> None:
    names = [item.name for item in architectures()]
    assert names == sorted(names)
    assert {"digits", "adaptive", "resnet18", "resnet50", "transformers", "vit_base"} <= set(names)


def test_an_unknown_architecture_lists_the_known() -> None:
    with pytest.raises(BadRequest, match="no architecture 'alexnet'") as caught:
        architecture_named("alexnet")
    assert "resnet50" in caught.value.hint
    assert "config.json" in caught.value.hint


def test_transformers_needs_a_config() -> None:
    with pytest.raises(BadRequest, match="needs a configuration"):
        spec_for("transformers")


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("resnet50", {}),
        (
            "resnet18",
            {"depths": [2, 2, 2, 2], "hidden_sizes": [64, 128, 256, 512], "layer_type": "basic"},
        ),
    ],
)
def test_resnet_is_the_one_of_transformers_bit_for_bit(name: str, config: dict[str, Any]) -> None:
    import torch
    from transformers import ResNetConfig, ResNetForImageClassification

    torch.manual_seed(0)
    theirs = ResNetForImageClassification(ResNetConfig(num_labels=1000, **config)).eval()
    ours = architecture_named(name).build(spec_for(name).config).eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    image = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(ours(image), theirs(image).logits)


def test_mismatch_names_the_first_of_each_kind() -> None:
    import torch

    weights = dict(models.state_dict("digits"))
    del weights["0.weight"], weights["9.bias"]
    weights["head.weight"] = torch.zeros(1)
    weights["4.weight"] = torch.zeros(1, 2)
    with pytest.raises(InvalidModel) as caught:
        folder.match(spec_for("digits"), weights)
    assert caught.value.message == (
        "These weights do not fit the architecture 'digits': 2 weights are missing, the first is "
        "'0.weight'; 1 is unexpected, the first is 'head.weight'; 1 has another shape, the first "
        "is '4.weight' (expected [32, 16, 3, 3], found [1, 2])."
    )


def test_no_tensors_is_said() -> None:
    with pytest.raises(InvalidModel, match="no tensors"):
        folder.match(spec_for("digits"), {"epoch": 3})


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.module."])
def test_a_common_prefix_is_taken_off_and_said(prefix: str, tmp_path: Path) -> None:
    weights = {f"{prefix}{name}": tensor for name, tensor in models.state_dict("digits").items()}
    _, notes = folder.write(tmp_path / "m", spec_for("digits"), weights)
    assert notes == (f"The prefix {prefix!r} was taken off the names of all weights.",)
    folder.build(tmp_path / "m")


def test_half_precision_is_computed_in_float32_and_said(tmp_path: Path) -> None:
    import torch

    weights = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in models.state_dict("digits").items()
    }
    _, notes = folder.write(tmp_path / "m", spec_for("digits"), weights)
    assert notes == ("Weights stored as float16 are computed in float32.",)
    module = folder.build(tmp_path / "m")
    assert {item.dtype for item in module.parameters()} == {torch.float32}


def test_tied_weights_are_stored_once_and_may_be_left_out(tmp_path: Path) -> None:
    spec = spec_for("transformers", models.GPT2)
    weights = dict(models.state_dict("transformers", models.GPT2))
    folder.write(tmp_path / "whole", spec, weights)
    del weights["lm_head.weight"]
    signature, notes = folder.write(tmp_path / "short", spec, weights)
    assert notes == ("lm_head.weight is tied to transformer.wte.weight.",)
    assert [(item.name, item.shape) for item in signature.outputs] == [
        ("logits", ("batch", "sequence", 99))
    ]
    given = feed(signature, "random", 2, 0)
    one, other = (
        models.infer(models.artifact("torch", tmp_path / name, signature), given)["logits"]
        for name in ("whole", "short")
    )
    np.testing.assert_array_equal(one, other)
    sizes = {(tmp_path / name / folder.WEIGHTS).stat().st_size for name in ("whole", "short")}
    assert max(sizes) - min(sizes) < 200


def test_a_transformers_config_brings_its_own_names(tmp_path: Path) -> None:
    made = models.eager(tmp_path / "bert", "transformers", models.BERT)
    assert [item.name for item in made.signature.inputs] == ["input_ids", "attention_mask"]
    assert made.signature.inputs[0].high == 99
    assert [(item.name, item.shape) for item in made.signature.outputs] == [
        ("last_hidden_state", ("batch", "sequence", 32)),
        ("pooler_output", ("batch", 32)),
    ]


@pytest.mark.parametrize("target", ["onnx", "exported", "torchscript"])
def test_a_transformers_model_converts_with_both_axes_free(target: str, tmp_path: Path) -> None:
    source = models.eager(tmp_path / "bert", "transformers", models.BERT)
    made = models.converted(source, target, tmp_path)
    given = feed(made.signature, "random", 3, 0, sizes={"sequence": 7})
    expected, found = models.infer(source, given), models.infer(made, given)
    assert list(found) == ["last_hidden_state", "pooler_output"]
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "mine", "auto_map": {"AutoModel": "evil.Evil"}}, "'mine', which transf"),
        ({"architectures": ["BertModel"]}, "model type None"),
        ({**models.BERT, "quantization_config": {"bits": 4}}, "quantized weights"),
    ],
)
def test_configs_that_are_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedModel, match=message):
        folder.match(spec_for("transformers", config), models.state_dict("digits"))


def test_a_damaged_folder_is_an_invalid_model(tmp_path: Path) -> None:
    path = models.eager(tmp_path / "m").path
    (path / folder.WEIGHTS).write_bytes(b"\x00" * 20)
    with pytest.raises(InvalidModel, match=r"weights\.safetensors cannot be read"):
        folder.build(path)
    (path / folder.SIGNATURE).unlink()
    with pytest.raises(InvalidModel, match=r"signature\.json is missing or damaged"):
        folder.build(path)


def test_what_is_written_is_plain_json(tmp_path: Path) -> None:
    path = models.eager(tmp_path / "m").path
    assert json.loads((path / folder.ARCHITECTURE).read_text()) == {
        "architecture": "digits",
        "config": {"width": 16},
    }
    assert isinstance(folder.read_signature(path), Signature)
