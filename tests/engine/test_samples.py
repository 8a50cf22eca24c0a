"""Samples: made on the spot, the trained one really trained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.architectures import folder
from engine.errors import NotFound
from engine.samples import sample_named, samples, write_sample


def test_names() -> None:
    assert [sample.name for sample in samples()] == ["resnet50", "digits", "adaptive"]
    with pytest.raises(NotFound, match="no sample 'vgg'"):
        sample_named("vgg")


def test_digits_have_learned_something(tmp_path: Path) -> None:
    said: list[str] = []
    made = write_sample("digits", tmp_path / "m", lambda message, _: said.append(message))
    accuracy = made.facts["Held-out accuracy"]
    found = re.fullmatch(r"(\d+\.\d) % of 360 images \[(\d+\.\d), (\d+\.\d)\]", accuracy)
    assert found
    assert float(found[2]) <= float(found[1]) <= float(found[3])
    assert float(found[1]) > 95
    assert "Training, epoch 20 of 20" in said
    folder.build(tmp_path / "m")


def test_a_sample_is_the_same_every_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_sample("adaptive", tmp_path / name, lambda *_: None)
    one, two = ((tmp_path / name / folder.WEIGHTS).read_bytes() for name in ("one", "two"))
    assert one == two
