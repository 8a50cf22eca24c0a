"""A whole measurement, with real tasks on a tiny model."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from engine.bench import canary, session
from engine.bench.model import MeasurePlan, Preset, Variant
from engine.bench.plan import rounds
from engine.errors import ConversionError, TaskCancelled
from engine.jobs.protocol import Task
from engine.types import Artifact, Signature, TensorSpec
from tests.models import eager, task_folder

TINY = Preset("tiny", 4, 2, 1, 0.0, 5, 0.0, 1.0, 1)


@dataclass
class InProcess:
    """Runs tasks at once in this process, and can spoil their results or end them."""

    folder: Path
    spoiled: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    failing: Mapping[str, Exception] = field(default_factory=dict)
    ran: list[Task] = field(default_factory=list)
    shown: list[Mapping[str, Any]] = field(default_factory=list)
    held: bool = False
    job_id: str = "test"

    def run(self, task: Task) -> dict[str, Any]:
        assert self.held, "measured while others may run"
        self.ran.append(task)
        if (failure := self.failing.get(task.request.get("variant", ""))) is not None:
            raise failure
        function = importlib.import_module(f"engine.tasks.{task.name}").run
        result: dict[str, Any] = function(task.request, task_folder(self.folder / "out"))
        if task.name == "block":
            calm = {"canary_ns": [5_000_000, 5_000_000], "steal_share": 0.0}
            calm |= {"others_cpus": 0.0, "throttled": 0}
            result["block"] |= {**calm, **self.spoiled.get(task.request["round"], {})}
        return result

    def out(self, result: Mapping[str, Any]) -> Path:
        return self.folder

    def publish(self, result: Mapping[str, Any]) -> None:
        self.shown.append(result)

    def plan(self, labels: tuple[str, ...]) -> None:
        self.labels = labels

    @contextmanager
    def alone(self) -> Iterator[None]:
        self.held = True
        yield
        self.held = False


@pytest.fixture(autouse=True)
def short_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "_READINGS", 3)


@pytest.fixture
def model(tmp_path: Path) -> Artifact:
    return eager(tmp_path / "model")


def plan(preset: Preset = TINY) -> MeasurePlan:
    variants = (
        Variant("a", "original", "torch", "PyTorch", 1, 1, True),
        Variant("b", "other", "torch", "Other", 2, 1),
    )
    return MeasurePlan(preset, variants, rounds(("a", "b"), preset.rounds, 1), seed=1)


def measured(model: Artifact, steps: InProcess) -> Any:
    artifacts = {
        "original": replace(model, id="original"),
        "other": replace(model, id="other"),
    }
    return session.run(steps, plan(), artifacts, model.signature)


def test_every_round_gives_a_block_of_every_variant(model: Artifact, tmp_path: Path) -> None:
    steps = InProcess(tmp_path)
    found = measured(model, steps)
    assert [(b.round, b.variant) for b in found.blocks] == [
        (index, key) for index, keys in enumerate(found.plan.order) for key in keys
    ]
    assert all(len(b.samples_ns) == 5 and min(b.samples_ns) > 0 for b in found.blocks)
    assert {m.variant for m in found.memory} == {"a", "b"}
    assert found.failures == {}
    assert found.environment.facts["Logical CPUs"]
    assert "numpy" in found.environment.packages
    assert len(steps.labels) == len(steps.ran) == 1 + 2 + 1 + 8


def test_workers_get_equal_thread_counts_and_are_never_repeated(
    model: Artifact, tmp_path: Path
) -> None:
    steps = InProcess(tmp_path)
    measured(model, steps)
    blocks = [task for task in steps.ran if task.name == "block"]
    assert {task.environment["OMP_NUM_THREADS"] for task in blocks} == {"1"}
    assert not any(task.repeatable for task in steps.ran)


def test_medians_are_shown_as_they_arrive(model: Artifact, tmp_path: Path) -> None:
    steps = InProcess(tmp_path)
    measured(model, steps)
    assert len(steps.shown) == 8 + 1
    assert [len(shown["live"]["strip"]) for shown in steps.shown] == [*range(1, 9), 8]
    assert steps.shown[0]["live"]["seconds_left"] >= 0
    live = steps.shown[-2]["live"]
    assert (live["round"], live["rounds"]) == (4, 4)
    assert [len(row["blocks_ms"]) for row in live["variants"]] == [4, 4]
    for row in live["variants"]:
        assert row["low_ms"] <= row["p50_ms"] <= row["high_ms"]


def test_a_variant_that_fails_leaves_the_others(model: Artifact, tmp_path: Path) -> None:
    steps = InProcess(tmp_path, failing={"b": ConversionError("It broke.")})
    found = measured(model, steps)
    assert found.failures == {"b": "It broke."}
    assert {block.variant for block in found.blocks} == {"a"}
    assert len([task for task in steps.ran if task.request.get("variant") == "b"]) == 1


def test_when_nothing_can_be_measured_the_first_reason_is_given(
    model: Artifact, tmp_path: Path
) -> None:
    error = ConversionError("It broke.")
    with pytest.raises(ConversionError, match="It broke"):
        measured(model, InProcess(tmp_path, failing={"a": error, "b": error}))


def test_a_cancelled_job_ends(model: Artifact, tmp_path: Path) -> None:
    with pytest.raises(TaskCancelled):
        measured(model, InProcess(tmp_path, failing={"b": TaskCancelled()}))


@pytest.mark.parametrize(
    ("spoiled", "why"),
    [
        ({"steal_share": 0.05}, "hypervisor took 5.0 %"),
        ({"canary_ns": [5_000_000, 6_000_000]}, "20 % longer"),
        ({"psi_share": 0.3, "others_cpus": 0.8}, "0.8 CPUs busy"),
        ({"throttled": 3}, "stopped the process 3 times"),
    ],
)
def test_a_round_with_outside_evidence_is_replaced_whole(
    model: Artifact, tmp_path: Path, spoiled: Mapping[str, Any], why: str
) -> None:
    found = measured(model, InProcess(tmp_path, spoiled={1: spoiled}))
    discarded = [block for block in found.blocks if block.discarded]
    assert {block.round for block in discarded} == {1}
    assert len(discarded) == 2
    assert all(why in (block.discarded or "") for block in discarded)
    assert len({b.round for b in found.blocks if not b.discarded}) == 4


def test_a_model_whose_own_threads_wait_is_not_discarded(model: Artifact, tmp_path: Path) -> None:
    own = {"psi_share": 0.9, "others_cpus": 0.02}
    found = measured(model, InProcess(tmp_path, spoiled={1: own}))
    assert not [block for block in found.blocks if block.discarded]


def test_a_machine_that_never_rests_ends_after_half_as_many_more_rounds(
    model: Artifact, tmp_path: Path
) -> None:
    steps = InProcess(tmp_path, spoiled={index: {"steal_share": 0.5} for index in range(99)})
    found = measured(model, steps)
    assert len({block.round for block in found.blocks}) == 6
    assert len({block.round for block in found.blocks if not block.discarded}) == 4


def test_inputs_are_the_same_for_a_variant_that_names_them_otherwise() -> None:
    from engine.bench.measure import make_feeds
    from engine.verify.inputs import feed

    original = Signature((TensorSpec("x", "float32", ("batch", 3)),))

    def make(signature: Signature, seed: int) -> Any:
        return feed(signature, "random", 2, seed)

    first = make_feeds(original, ("x",), make, seed=5)
    second = make_feeds(original, ("input.1",), make, seed=5)
    assert len(first) == len(second) > 1
    for one, other in zip(first, second, strict=True):
        assert (one["x"] == other["input.1"]).all()
    assert not (first[0]["x"] == first[1]["x"]).all()
