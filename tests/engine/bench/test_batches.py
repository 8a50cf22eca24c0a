"""Batch sizes, really run on the digits net."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.bench import session
from engine.bench.model import Measurement
from engine.bench.observations import BatchPoint
from engine.bench.plan import PRESETS
from engine.bench.studies import batches
from engine.errors import Reason, TaskCancelled, TaskFailed
from engine.jobs import allowance
from engine.jobs.steps import DirectSteps
from engine.records import parse
from engine.types import Artifact, Signature, TensorSpec
from tests.engine.bench.asked import short_looks, study_task, studying
from tests.engine.bench.test_session import InProcess, plan
from tests.models import eager

NAME = "batches"


@pytest.fixture
def model(tmp_path: Path) -> Artifact:
    return eager(tmp_path / "model")


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST", 4)
    short_looks(monkeypatch)


def studied(model: Artifact, steps: Any) -> Measurement:
    artifacts = {"original": replace(model, id="original"), "other": replace(model, id="other")}
    return session.run(steps, studying(NAME), artifacts, model.signature)


class Ends(InProcess):
    """Ends every process of variant b from a batch on."""

    batch: int = 2
    error: TaskFailed = TaskFailed("It took too much.", how=Reason.OUT_OF_MEMORY)

    def run(self, task: Any) -> dict[str, Any]:
        asked = task.request
        if task.name == "study" and asked["variant"] == "b" and asked["batch"] >= self.batch:
            raise self.error
        return super().run(task)


def test_sizes_go_up_and_down_and_up_again(model: Artifact, tmp_path: Path) -> None:
    steps = InProcess(tmp_path)
    found = studied(model, steps)
    assert found.study_failures == {}
    assert [one.variant for one in found.batches] == ["a", "b"]
    ran = [(t.request["variant"], t.request["batch"]) for t in steps.ran if t.name == "study"]
    up = [(variant, size) for size in (1, 2, 4) for variant in "ab"]
    down = [(variant, size) for size in (4, 2, 1) for variant in "ab"]
    assert ran[:6] == up
    if all("4 is the largest" in one.stopped for one in found.batches):
        assert ran == [*up, *down, *up]
    for one in found.batches:
        assert {point.turn for point in one.points} == {0, 1, 2}
        assert all(len(point.samples_ns) == 5 for point in one.points)
        assert all(min(point.samples_ns) > 0 and point.peak_bytes > 0 for point in one.points)


def test_a_size_that_fails_ends_the_way_up_and_says_so(model: Artifact, tmp_path: Path) -> None:
    found = studied(model, Ends(tmp_path))
    assert found.study_failures == {}
    other = next(one for one in found.batches if one.variant == "b")
    assert {point.batch for point in other.points} == {1}
    assert other.stopped == "batch 2 failed: It took too much."


def test_a_variant_that_fails_at_once_is_left_out(model: Artifact, tmp_path: Path) -> None:
    steps = Ends(tmp_path)
    steps.batch = 1
    found = studied(model, steps)
    assert [one.variant for one in found.batches] == ["a"]
    assert found.study_failures == {"batches: b": "It took too much."}
    assert {block.variant for block in found.blocks} == {"a", "b"}, "its times stay"


def test_it_can_be_cancelled(model: Artifact, tmp_path: Path) -> None:
    steps = Ends(tmp_path)
    steps.error = TaskCancelled()
    with pytest.raises(TaskCancelled):
        studied(model, steps)


def test_a_model_of_a_fixed_batch_is_left_out_with_the_reason(
    model: Artifact, tmp_path: Path
) -> None:
    one = TensorSpec("image", "float32", (1, *model.signature.inputs[0].shape[1:]))
    name = model.signature.inputs[0].name
    fixed = replace(model, signature=Signature((replace(one, name=name),)))
    artifacts = {"original": fixed, "other": fixed}
    variants = tuple(replace(v, batch=1) for v in plan().variants)
    found = session.run(InProcess(tmp_path), studying(NAME, *variants), artifacts, fixed.signature)
    assert found.batches == ()
    why = "It has a fixed batch of 1: it takes no other."
    assert found.study_failures == {"batches: a": why, "batches: b": why}


def test_what_will_not_fit_is_not_tried(
    model: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(InProcess):
        def run(self, task: Any) -> dict[str, Any]:
            result = super().run(task)
            if task.name == "study" and task.request["batch"] == 2:
                monkeypatch.setattr(allowance, "memory", lambda: 1)
            return result

    one = next(found for found in studied(model, Full(tmp_path)).batches if found.variant == "a")
    assert max(point.batch for point in one.points) == 2
    assert one.stopped.startswith("batch 4 would take about ")


def test_a_size_in_a_real_process(model: Artifact, workspace: Path) -> None:
    steps = DirectSteps("batches", lambda views, partial: None)
    asked = study_task("batches", model, batch=2, turn=1, limit_bytes=4 * 1024**3)
    found = parse(BatchPoint, steps.run(asked)["point"])
    assert (found.batch, found.turn) == (2, 1)
    assert len(found.samples_ns) >= PRESETS["quick"].iterations
    assert found.peak_bytes > 1024**2
