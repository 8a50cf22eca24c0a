"""What the pipeline decides before any worker starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.bench.model import NoiseFloor
from engine.errors import NoRoute
from engine.knowledge import reach_from
from engine.pipeline import measuring, planning
from engine.store import findings
from engine.types import Artifact, Signature, Target
from tests.engine.reports.made import report


def test_a_way_that_there_is_not_is_refused_with_the_reason_of_the_model_page() -> None:
    original = Artifact("a", "onnx", Path("a.onnx"), "0" * 64, 1, Signature(()))
    (said,) = [reach.reason for reach in reach_from(original) if reach.format == "exported"]
    with pytest.raises(NoRoute) as refused:
        planning._route(original, Target("exported"))
    assert refused.value.message == said
    assert "savedmodel" in refused.value.hint


@pytest.mark.parametrize(("kept", "pace"), [(True, 1.0), (False, 10.0)])
def test_a_model_whose_pace_jumps_is_no_noise_of_the_machine(
    workspace: Path, kept: bool, pace: float
) -> None:
    made = report(preset="rigorous")
    assert made.measurement is not None
    first, *_ = made.measurement.plan.variants
    copied = replace(first, key="copy", is_original=False, control_of=first.key)
    own = [b for b in made.measurement.blocks if b.variant == first.key]
    again = tuple(
        replace(
            block,
            variant="copy",
            samples_ns=tuple(round(ns * pace ** (index % 4)) for ns in block.samples_ns),
        )
        for index, block in enumerate(own)
    )
    found = replace(
        made.measurement,
        plan=replace(made.measurement.plan, variants=(first, copied)),
        blocks=(*own, *again),
    )
    measuring._keep_floor(found, "here")
    floor = findings.load("here", findings.FLOOR, NoiseFloor)
    assert (floor is not None) is kept
    assert floor is None or floor.share < measuring.LARGEST_FLOOR
