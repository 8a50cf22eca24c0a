"""The largest batch that fits, really searched for with the digits net."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.bench import session
from engine.bench.model import Measurement
from engine.bench.studies import largest
from engine.errors import Reason, TaskCancelled, TaskFailed
from engine.jobs import allowance
from engine.jobs.steps import DirectSteps
from engine.types import Artifact, Signature
from tests.engine.bench.asked import short_looks, study_task, studying
from tests.engine.bench.test_session import InProcess, plan
from tests.models import eager

MIB = 1024**2


@pytest.fixture
def model(tmp_path: Path) -> Artifact:
    return eager(tmp_path / "model")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    short_looks(monkeypatch)


def studied(model: Artifact, steps: Any) -> Measurement:
    (variant, *_) = plan().variants
    artifacts = {"original": replace(model, id="original")}
    return session.run(steps, studying("largest", variant), artifacts, model.signature)


def test_where_nothing_is_in_the_way_the_last_size_is_the_answer(
    model: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(largest, "MOST", 8)
    found = studied(model, InProcess(tmp_path))
    (one,) = found.largest
    assert [(tried.batch, tried.refused) for tried in one.tries] == [(b, "") for b in (1, 2, 4, 8)]
    assert all((tried.peak_bytes or 0) > 0 and (tried.seconds or 0) > 0 for tried in one.tries)
    assert one.stopped == "8 is the largest that this study tries"
    assert [tried.predicted_bytes is None for tried in one.tries] == [True, True, False, False]


def test_what_runs_out_of_memory_is_halved_to_what_fits(model: Artifact, tmp_path: Path) -> None:
    class Small(InProcess):
        def run(self, task: Any) -> dict[str, Any]:
            if task.name == "study" and task.request["batch"] > 11:
                raise TaskFailed("It took too much.", how=Reason.OUT_OF_MEMORY)
            return super().run(task)

    found = studied(model, Small(tmp_path))
    (one,) = found.largest
    assert [tried.batch for tried in one.tries] == [1, 2, 4, 8, 16, 12, 10, 11]
    assert max(tried.batch for tried in one.tries if not tried.refused) == 11
    assert one.stopped == "It took too much."
    assert found.study_failures == {}


def test_what_would_not_fit_or_take_too_long_is_never_tried(
    model: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends(batch: int, change: Any) -> tuple[list[int], str]:
        class After(InProcess):
            def run(self, task: Any) -> dict[str, Any]:
                result = super().run(task)
                if task.name == "study" and task.request["batch"] == batch:
                    change()
                return result

        steps = After(tmp_path)
        (one,) = studied(model, steps).largest
        ran = [task.request["batch"] for task in steps.ran if task.name == "study"]
        return ran, one.stopped

    ran, why = ends(4, lambda: monkeypatch.setattr(allowance, "memory", lambda: MIB))
    assert ran == [1, 2, 4]
    assert why.startswith("batch 5 would take about ")
    assert why.endswith("and 0.00 GiB are free")
    monkeypatch.setattr(allowance, "memory", lambda: 2**40)
    ran, why = ends(4, lambda: monkeypatch.setattr(largest, "LONGEST_S", 1e-9))
    assert ran == [1, 2, 4]
    assert why.startswith("one call would take about 0 s")


def test_a_model_that_takes_no_batch_at_all_is_left_out(model: Artifact, tmp_path: Path) -> None:
    class Never(InProcess):
        def run(self, task: Any) -> dict[str, Any]:
            if task.name == "study":
                raise TaskFailed("It took too much.", how=Reason.OUT_OF_MEMORY)
            return super().run(task)

    found = studied(model, Never(tmp_path))
    assert found.largest == ()
    assert found.study_failures == {"largest: a": "It took too much."}


def test_a_fixed_batch_is_left_out_with_the_reason(model: Artifact, tmp_path: Path) -> None:
    (spec,) = model.signature.inputs
    fixed = replace(model, signature=Signature((replace(spec, shape=(1, *spec.shape[1:])),)))
    found = studied(fixed, InProcess(tmp_path))
    assert found.largest == ()
    why = "It has a fixed batch of 1: it takes no other."
    assert found.study_failures == {"largest: a": why}


def test_it_can_be_cancelled(model: Artifact, tmp_path: Path) -> None:
    class Cancelled(InProcess):
        def run(self, task: Any) -> dict[str, Any]:
            if task.name == "study":
                raise TaskCancelled
            return super().run(task)

    with pytest.raises(TaskCancelled):
        studied(model, Cancelled(tmp_path))


def test_a_real_process_meets_its_wall_and_says_so(model: Artifact, workspace: Path) -> None:
    """A batch of 1 GiB of inputs, where 256 MiB may be taken and four times that are there."""
    steps = DirectSteps("largest", lambda views, partial: None)
    fits = steps.run(study_task("largest", model, batch=4, limit_bytes=256 * MIB))
    assert fits["peak_bytes"] > MIB
    with pytest.raises(TaskFailed, match="more memory than it could have") as ended:
        steps.run(study_task("largest", model, batch=2**22, limit_bytes=256 * MIB))
    assert ended.value.reason is Reason.OUT_OF_MEMORY
