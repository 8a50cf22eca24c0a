"""INT8 dynamic on eager models, and the TorchScript that carries it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine import changes
from engine.architectures import folder, surgery
from engine.data.drawn import DrawnSamples
from engine.errors import BadRequest, UnsupportedModel
from engine.types import Artifact, Change
from engine.verify.limits import limits_for
from engine.verify.model import Thresholds
from tests import models

BERT = {**models.BERT, "hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2}


def changed(source: Artifact, out: Path, name: str = "int8-dynamic", **options: Any) -> Artifact:
    samples = DrawnSamples(source.signature, 4)
    return models.changed(source, Change(name, options), out, samples)


@pytest.mark.parametrize("per_channel", [False, True])
def test_torchscript_holds_the_eight_bits_and_needs_none_of_our_code(
    per_channel: bool, tmp_path: Path
) -> None:
    source = models.eager(tmp_path / "model", "transformers", BERT)
    plain = models.converted(source, "torchscript", tmp_path / "plain")
    quantized = changed(source, tmp_path / "int8", per_channel=per_channel)
    made = models.converted(quantized, "torchscript", tmp_path / "made")
    assert made.size_bytes < 0.6 * plain.size_bytes
    limits = limits_for("int8", Thresholds())
    assert models.verified(source, made, tmp_path / "verify", limits).verdict.usable
    code = (
        "import sys, torch; x = torch.ones(2, 8, dtype=torch.int64);"
        "print(tuple(torch.jit.load(sys.argv[1])(x, x)[0].shape), 'engine' in sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(made.path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "(2, 8, 64) False"


def test_the_record_is_all_that_differs_in_the_folder(tmp_path: Path) -> None:
    source = models.eager(tmp_path / "model")
    made = changed(source, tmp_path / "made")
    assert surgery.read(made.path) == surgery.Surgery(precision="int8")
    kinds = {type(item).__name__ for item in folder.build(made.path).modules()}
    assert "Conv2d" in kinds
    assert folder.build(made.path)[-1].weight().dtype.is_floating_point is False
    before, after = ((one.path / folder.WEIGHTS).read_bytes() for one in (source, made))
    assert before == after


def test_a_pruned_model_is_quantized_and_not_the_other_way_round(tmp_path: Path) -> None:
    source = models.eager(tmp_path / "model", "transformers", BERT)
    pruned = changed(source, tmp_path / "pruned", "prune-channels", ratio=0.5)
    made = changed(pruned, tmp_path / "made")
    record = surgery.read(made.path)
    assert record.precision == "int8"
    assert record.shapes
    folder.build(made.path)
    for name in ("prune-channels", "prune-weights", "int8-dynamic"):
        assert "changed already" in str(changes.refusal(name, made))


def test_a_net_without_linear_layers_is_refused(tmp_path: Path) -> None:
    config = {
        "model_type": "resnet",
        "architectures": ["ResNetModel"],
        "embedding_size": 8,
        "hidden_sizes": [16],
        "depths": [1],
        "image_size": 32,
    }
    source = models.eager(tmp_path / "model", "transformers", config)
    with pytest.raises(UnsupportedModel, match="ResNetModel has no linear or recurrent layer"):
        changed(source, tmp_path / "made")


@pytest.mark.parametrize("option", [{"exclude": "0"}, {"conv": True}])
def test_what_only_onnx_can_do_is_refused_and_not_passed_over(
    option: dict[str, Any], tmp_path: Path
) -> None:
    source = models.eager(tmp_path / "model")
    with pytest.raises(BadRequest, match=f"no option '{next(iter(option))}' on PyTorch"):
        changed(source, tmp_path / "made", **option)
