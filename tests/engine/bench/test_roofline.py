"""The roofline study, really run: the machine measured once, each graph counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine.bench import limits, session
from engine.bench.model import Measurement, MeasurePlan, Variant
from engine.bench.plan import rounds
from engine.types import Artifact, Change
from tests import models
from tests.engine.bench.test_session import TINY, InProcess

SHORT = replace(TINY, rounds=1, spare_rounds=0, memory_passes=0, gate_tries=0)


def studied(steps: InProcess, *artifacts: Artifact) -> Measurement:
    variants = tuple(
        Variant(one.id, one.id, one.format, one.id, 1, 1, one is artifacts[0]) for one in artifacts
    )
    keys = tuple(v.key for v in variants)
    plan = MeasurePlan(SHORT, variants, rounds(keys, 1, 1), seed=1, studies=("roofline",))
    by_id = {one.id: one for one in artifacts}
    return session.run(steps, plan, by_id, artifacts[0].signature)


def test_the_machine_is_measured_once_a_host(workspace: Path, tmp_path: Path) -> None:
    eager = models.eager(tmp_path / "eager")
    onnx = models.converted(eager, "onnx", tmp_path / "onnx")
    first, again = InProcess(tmp_path / "1"), InProcess(tmp_path / "2")
    assert limits.known(1) is None
    found = studied(first, eager, onnx)
    assert found.study_failures == {}
    here = limits.known(1)
    assert here is not None
    assert min(here.float_gops, here.int8_gops, here.memory_gbs) > 0
    assert [(one.variant, one.counted_on) for one in found.roofline] == [
        (eager.id, eager.id),
        (onnx.id, onnx.id),
    ]
    for one in found.roofline:
        assert (one.float_gops, one.memory_gbs) == (here.float_gops, here.memory_gbs)
        assert one.float_operations >= 2 * (8 * 8 * 16 * 9 + 4 * 4 * 32 * 16 * 9 + 10 * 128)
    assert studied(again, eager).roofline == found.roofline[:1]
    asked = [
        [task.request["machine"] for task in steps.ran if task.name == "study"]
        for steps in (first, again)
    ]
    assert asked == [[True, False, False], [False]]


def test_a_format_that_is_not_counted_takes_the_count_of_the_same(
    workspace: Path, tmp_path: Path
) -> None:
    eager = models.eager(tmp_path / "eager")
    same = replace(models.converted(eager, "exported", tmp_path / "exported"), id="same")
    other = replace(same, id="other", passes=(Change("int8-static"),))
    found = studied(InProcess(tmp_path / "steps"), eager, same, other)
    assert [(one.variant, one.counted_on) for one in found.roofline] == [
        (eager.id, eager.id),
        ("same", eager.id),
    ]
    assert "were not counted" in found.study_failures["roofline: other"]
