"""Accuracy falls when channels go, and comes back with training: real numbers on real digits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import changes
from engine.errors import BadRequest
from engine.options import read
from engine.registry import Conversion
from engine.types import Artifact
from tests.digits import DigitImages


def prune(source: Artifact, out: Path, name: str, samples: Any, **options: Any) -> Conversion:
    known = changes.pass_named(name)
    given = changes.Given(samples, lambda message, fraction=None: None)
    asked = read(known.options, options, known.label)
    return changes.handler(name, "torch")(source, out, asked, given)


def right(made: Conversion) -> dict[str, float]:
    """The shares of samples answered right, as they were noted."""
    (note,) = [note for note in made.step.notes if note.startswith("Right on")]
    return {when: float(share) for share, when in re.findall(r"([\d.]+) % ([\w-]+)", note)}


def test_accuracy_falls_and_recovers(trained: Artifact, tmp_path: Path) -> None:
    made = prune(
        trained, tmp_path / "m", "prune-channels", DigitImages(600), ratio=0.5, epochs=6, rate=3e-3
    )
    shares = right(made)
    assert shares["before"] > 97
    assert shares["pruned"] < 70
    assert shares["fine-tuned"] > 90
    assert any("Fine-tuned for 6 epochs on 480 samples" in note for note in made.step.notes)


@pytest.mark.parametrize(
    ("epochs", "held"), [(0, "the pruning:"), (1, "fine-tuning, which they also stopped:")]
)
def test_what_the_held_out_samples_decided_is_said(
    trained: Artifact, tmp_path: Path, epochs: int, held: str
) -> None:
    made = prune(trained, tmp_path / "m", "prune-channels", DigitImages(100), epochs=epochs)
    (note,) = [note for note in made.step.notes if note.startswith("Right on")]
    assert note.startswith(f"Right on 20 samples held out of {held}")
    assert "accuracy on the evaluation samples" in note


def test_what_is_written_is_what_was_trained(trained: Artifact, tmp_path: Path) -> None:
    from engine.architectures import folder
    from engine.passes.pruning.labelled import labelled

    samples = DigitImages(300)
    made = prune(trained, tmp_path / "m", "prune-channels", samples, ratio=0.5, epochs=2, rate=3e-3)
    data = labelled(samples, trained.signature)
    assert data is not None
    found = data.accuracy(folder.build(tmp_path / "m"))
    assert f"{100 * found:.1f}" == f"{right(made)['fine-tuned']:.1f}"


def test_the_same_training_twice_gives_the_same_weights(trained: Artifact, tmp_path: Path) -> None:
    for name in ("one", "two"):
        asked = {"ratio": 0.5, "epochs": 1, "importance": "taylor"}
        prune(trained, tmp_path / name, "prune-channels", DigitImages(200), **asked)
    one, two = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two


def test_training_ends_when_nothing_gets_better(trained: Artifact, tmp_path: Path) -> None:
    asked = {"ratio": 0.25, "multiple": 1, "epochs": 30, "rate": 0.5}
    made = prune(trained, tmp_path / "m", "prune-channels", DigitImages(100), **asked)
    (note,) = [note for note in made.step.notes if note.startswith("Fine-tuned")]
    epochs = int(re.findall(r"for (\d+) epochs", note)[0])
    assert epochs < 30


def test_steps_train_after_each(trained: Artifact, tmp_path: Path) -> None:
    asked = {"ratio": 0.5, "multiple": 1, "epochs": 1, "steps": 3}
    made = prune(trained, tmp_path / "m", "prune-channels", DigitImages(200), **asked)
    assert sum(note.startswith("Fine-tuned") for note in made.step.notes) == 3
    assert made.step.notes[0].startswith("24 of 48 channels removed")


def test_zeros_stay_zero_while_training(trained: Artifact, tmp_path: Path) -> None:
    from engine.architectures import folder

    asked = {"amount": 0.8, "epochs": 3, "steps": 2, "rate": 3e-3}
    made = prune(trained, tmp_path / "m", "prune-weights", DigitImages(300), **asked)
    weights = folder.bare(tmp_path / "m").state_dict()
    for name in ("0.weight", "4.weight", "9.weight"):
        assert np.count_nonzero(weights[name].numpy()) == pytest.approx(
            0.2 * weights[name].numel(), abs=1
        )
    assert right(made)["fine-tuned"] > right(made)["pruned"]


def test_labels_that_are_not_the_models_classes_are_refused(
    trained: Artifact, tmp_path: Path
) -> None:
    class Wrong(DigitImages):
        def labels(self) -> np.ndarray | None:
            return np.arange(self.count) + 5

    with pytest.raises(BadRequest, match=r"classes from .* no output of the model has a score"):
        prune(trained, tmp_path / "m", "prune-channels", Wrong(40), epochs=1)


def test_too_few_labels_are_refused(trained: Artifact, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="at least 20 labelled samples; digits has 10 of them"):
        prune(trained, tmp_path / "m", "prune-channels", DigitImages(10), epochs=1)
