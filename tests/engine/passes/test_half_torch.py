"""Half precision in eager models, and in the TorchScript made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import changes, processor
from engine.architectures import folder, surgery
from engine.data.drawn import DrawnSamples
from engine.errors import BadRequest, UnsupportedModel
from engine.types import Artifact, Change
from engine.verify.limits import limits_for
from engine.verify.model import Thresholds
from tests import models


def halved(source: Artifact, out: Path, name: str = "bf16", **options: Any) -> Artifact:
    samples = DrawnSamples(source.signature, 4)
    return models.changed(source, Change(name, {"anyway": "yes", **options}), out, samples)


@pytest.mark.parametrize("name", ["fp16", "bf16"])
def test_it_is_half_the_size_and_takes_and_gives_float32(name: str, tmp_path: Path) -> None:
    source = models.eager(tmp_path / "model", "transformers", models.BERT)
    made = halved(source, tmp_path / "made", name)
    script = models.converted(made, "torchscript", tmp_path / "script")
    weights = [(one.path / folder.WEIGHTS).stat().st_size for one in (source, made)]
    assert weights[1] < 0.6 * weights[0]
    assert made.signature == script.signature == source.signature
    limits = limits_for(changes.pass_named(name).precision, Thresholds())
    for candidate in (made, script):
        verdict = models.verified(source, candidate, tmp_path / candidate.format, limits)
        assert verdict.verdict.usable, verdict.sentence
        assert verdict.verdict != "exact"


def test_normalisations_stay_in_float32_and_are_named(tmp_path: Path) -> None:
    import torch

    source = models.eager(tmp_path / "model")
    made = halved(source, tmp_path / "made", "fp16")
    assert surgery.read(made.path) == surgery.Surgery(precision="float16", kept=("1", "5"))
    weights = folder.bare(made.path).state_dict()
    assert weights["0.weight"].dtype == torch.float16
    assert weights["1.running_var"].dtype == torch.float32


def test_tied_weights_stay_tied(tmp_path: Path) -> None:
    source = models.eager(tmp_path / "model", "transformers", models.GPT2)
    made = halved(source, tmp_path / "made")
    sizes = [(one.path / folder.WEIGHTS).stat().st_size for one in (source, made)]
    assert sizes[1] < 0.6 * sizes[0]


def test_a_weight_beyond_the_range_of_fp16_is_named(tmp_path: Path) -> None:
    source = models.eager(tmp_path / "model", change=lambda tensor: tensor * 1e6)
    with pytest.raises(UnsupportedModel, match=r"The tensor '0\.weight' holds .*float16 ends at"):
        halved(source, tmp_path / "fp16", "fp16")
    halved(source, tmp_path / "bf16", "bf16")


def test_half_precision_inputs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="inputs and outputs stay float32 here"):
        halved(models.eager(tmp_path / "model"), tmp_path / "made", keep_io="no")


def test_a_processor_that_only_gets_slower_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "features", lambda: frozenset({"avx2"}))
    source = models.eager(tmp_path / "model")
    with pytest.raises(UnsupportedModel, match="BF16 gains PyTorch no time on this processor"):
        halved(source, tmp_path / "made", anyway="no")
    made = halved(source, tmp_path / "anyway")
    assert np.isfinite(
        models.infer(made, next(DrawnSamples(source.signature, 1).feeds()))["logits"]
    ).all()


def test_a_pruned_model_is_halved(tmp_path: Path) -> None:
    source = models.eager(tmp_path / "model")
    samples = DrawnSamples(source.signature, 4)
    asked = Change("prune-channels", {"ratio": 0.5})
    pruned = models.changed(source, asked, tmp_path / "pruned", samples)
    made = halved(pruned, tmp_path / "made")
    assert surgery.read(made.path).shapes
    assert made.size_bytes < pruned.size_bytes
