"""Single weights set to zero: how many, which, where; on the eager model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import changes
from engine.architectures import folder
from engine.data.drawn import DrawnSamples
from engine.errors import BadRequest, EngineError
from engine.options import read
from engine.registry import Conversion
from engine.types import Artifact
from tests import models


def prune(source: Artifact, out: Path, **options: Any) -> Conversion:
    known = changes.pass_named("prune-weights")
    samples = DrawnSamples(source.signature, 4)
    given = changes.Given(samples, lambda message, fraction=None: None)
    asked = read(known.options, options, known.label)
    return changes.handler("prune-weights", source.format)(source, out, asked, given)


def weights(path: Path) -> dict[str, np.ndarray]:
    return {name: item.numpy() for name, item in folder.bare(path).state_dict().items()}


def test_the_smallest_weights_of_each_layer_are_zero_and_the_others_as_they_were(
    tmp_path: Path,
) -> None:
    source = models.eager(tmp_path / "model")
    made = prune(source, tmp_path / "made", amount=0.75, layers="0=0")
    before, after = weights(source.path), weights(tmp_path / "made")
    assert np.array_equal(before["0.weight"], after["0.weight"])
    for name in ("4.weight", "9.weight"):
        kept = after[name] != 0
        assert kept.mean() == 0.25
        assert np.array_equal(after[name][kept], before[name][kept])
        assert np.abs(before[name][~kept]).max() <= np.abs(before[name][kept]).min()
    assert "No ordinary kernel gets faster" in " ".join(made.step.notes)
    assert "| 4 | 4,608 | 3,456 | 75.0 % |" in made.report


def test_the_file_packs_better(tmp_path: Path) -> None:
    source = models.eager(tmp_path / "model", config={"width": 64})
    made = prune(source, tmp_path / "made", amount=0.9)
    (note,) = [note for note in made.step.notes if note.startswith("Compressed")]
    before, after = (
        float(part.split()[-2]) for part in note.split(" MB")[:2] for part in [part + " MB"]
    )
    assert after < before / 2


def test_compared_across_the_model_small_layers_get_more_zeros(tmp_path: Path) -> None:
    source = models.eager(tmp_path / "model", change=lambda tensor: tensor)
    prune(source, tmp_path / "made", amount=0.5, scope="global")
    after = weights(tmp_path / "made")
    shares = {
        name: float((after[name] == 0).mean()) for name in ("0.weight", "4.weight", "9.weight")
    }
    counts = [after[name] for name in shares]
    zeros = sum(int((item == 0).sum()) for item in counts)
    assert zeros == sum(item.size for item in counts) // 2
    assert len({round(share, 2) for share in shares.values()}) > 1


def test_two_of_every_four_in_a_row_are_zero(tmp_path: Path) -> None:
    source = models.eager(tmp_path / "model")
    made = prune(source, tmp_path / "made", pattern="2-4")
    before, after = weights(source.path), weights(tmp_path / "made")
    assert np.array_equal(before["0.weight"], after["0.weight"])
    assert any(note.startswith("0 was left as it is") for note in made.step.notes)
    for name in ("4.weight", "9.weight"):
        fours = np.moveaxis(after[name], 1, -1).reshape(-1, 4)
        assert ((fours == 0).sum(axis=1) == 2).all()


def test_tables_of_tokens_and_what_is_tied_to_them_are_left_alone(tmp_path: Path) -> None:
    source = models.eager(tmp_path / "model", "transformers", models.GPT2)
    prune(source, tmp_path / "made", amount=0.5)
    before, after = weights(source.path), weights(tmp_path / "made")
    assert np.array_equal(before["lm_head.weight"], after["lm_head.weight"])
    assert (after["transformer.h.0.mlp.c_fc.weight"] == 0).mean() == 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"amount": "0"}, "0 would change nothing"),
        ({"amount": "1"}, "1 would leave nothing"),
        ({"amount": "1.5"}, "must be a number from 0.01 to 0.99"),
        ({"layers": "0=1"}, "would empty the layer"),
        ({"layers": "conv=0.5"}, "There is no layer 'conv'"),
        ({"pattern": "2-4", "amount": 0.3}, "2:4 sets half of the weights"),
        ({"epochs": 1}, "Fine-tuning works from at least 20 labelled samples"),
    ],
)
def test_what_does_not_fit_is_refused(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(EngineError) as refused:
        prune(models.eager(tmp_path / "model"), tmp_path / "made", **options)
    assert message in str(refused.value)


def test_a_layer_of_which_nothing_would_be_left_is_named(tmp_path: Path) -> None:
    source = models.eager(
        tmp_path / "model",
        change=lambda tensor: tensor * 1e-6 if tensor.shape == (10, 128) else tensor,
    )
    with pytest.raises(BadRequest, match="every weight of the layer '9' to zero"):
        prune(source, tmp_path / "made", amount=0.5, scope="global")
