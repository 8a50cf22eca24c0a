"""Every pass keeps the contract: found by folder, so that a new pass is covered by itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine import changes, registry
from engine.data.drawn import DrawnSamples
from engine.types import Artifact, Change, RunnerOptions
from engine.verify.inputs import feed
from engine.verify.limits import limits_for
from engine.verify.model import Thresholds
from tests import models

CELLS = [
    (name, format)
    for name in changes.passes()
    for format in changes.handled(name)
    if registry.format_named(format).available
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Artifact, Artifact]]:
    """For each format a small eager model, and that model in the format."""
    out = tmp_path_factory.mktemp("tiny")
    made = {}
    for format in {format for _, format in CELLS}:
        original = models.tiny(format, out / "original" / format)
        made[format] = original, models.converted(original, format, out / format)
    return made


def _end(name: str, format: str) -> str:
    """The format itself, or the first it leads to where nothing runs the result as it is."""
    way = changes._ways[(name, format)]
    return format if way.final or way.onward is None else way.onward[0]


@pytest.mark.parametrize(("name", "format"), CELLS)
def test_a_pass_makes_a_model_that_still_answers(
    name: str, format: str, tiny: dict[str, tuple[Artifact, Artifact]], tmp_path: Path
) -> None:
    original, source = tiny[format]
    if why := changes.refusal(name, source):
        pytest.skip(f"the tiny model cannot take it: {why}")
    samples = DrawnSamples(source.signature, 16)
    target = _end(name, format)
    asked = Change(name, models.OWN_OPTIONS.get(name, {}))
    made = models.changed(source, asked, tmp_path / "made", samples, target)
    made = models.converted(made, target, tmp_path / "there")
    given = feed(made.signature, "random", 2, 0)
    with registry.open_runner(made, RunnerOptions(1)) as runner:
        answers = runner.infer(given)
    plain = models.converted(source, target, tmp_path / "plain")
    pairs = zip(answers.values(), models.infer(plain, given).values(), strict=True)
    assert any(not np.array_equal(*pair) for pair in pairs), "nothing was done to it"
    assert {spec.name for spec in source.signature.outputs} == set(answers)
    precision = changes.pass_named(name).precision
    if precision:
        limits = limits_for(precision, Thresholds())
        verdict = models.verified(original, made, tmp_path, limits)
        assert verdict.verdict.usable, verdict.sentence
