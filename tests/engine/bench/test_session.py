"""A whole measurement, with real tasks on a tiny model."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from engine.bench import canary, session, verdicts
from engine.bench.evidence import gate_failures
from engine.bench.model import (
    Block,
    GateReading,
    Measurement,
    MeasurePlan,
    MemoryPass,
    NoiseFloor,
    Preset,
    Variant,
)
from engine.bench.plan import make_plan, rounds
from engine.errors import ConversionError, TaskCancelled
from engine.jobs.protocol import Task
from engine.records import dump, parse
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
    monkeypatch.setattr(session, "PAUSE_S", 0.01)


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
    assert len(steps.labels) == len(steps.ran) == 2 + 1 + 8


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
    grown = [shown["live"] for shown in steps.shown if "live" in shown]
    assert [len(live["strip"]) for live in grown] == [*range(1, 9), 8]
    assert grown[0]["seconds_left"] >= 0
    last = grown[-1]
    assert (last["round"], last["rounds"], last["seconds_left"]) == (4, 4, 0)
    live = grown[-2]
    assert (live["round"], live["rounds"]) == (4, 4)
    assert [len(row["blocks_ms"]) for row in live["variants"]] == [4, 4]
    for row in live["variants"]:
        assert row["low_ms"] <= row["p50_ms"] <= row["high_ms"]


def test_it_is_told_how_far_the_memory_passes_are_before_there_are_times(
    model: Artifact, tmp_path: Path
) -> None:
    steps = InProcess(tmp_path)
    measured(model, steps)
    first, second = (shown["weighing"] for shown in steps.shown if "weighing" in shown)
    assert (first["done"], first["total"]) == (1, 2)
    assert first["seconds_left"] >= 0 and second["seconds_left"] == 0
    assert (second["done"], second["to_come"]) == (2, ["the times"])
    assert "live" in steps.shown[2], "times take its place"


def test_a_variant_that_fails_leaves_the_others(model: Artifact, tmp_path: Path) -> None:
    steps = InProcess(tmp_path, failing={"b": ConversionError("It broke.")})
    found = measured(model, steps)
    assert found.failures == found.memory_failures == {"b": "It broke."}
    assert {block.variant for block in found.blocks} == {"a"}
    own = [task.name for task in steps.ran if task.request.get("variant") == "b"]
    assert own == ["memory", "block"], "each part is tried once"


def test_a_failed_memory_pass_costs_no_times(tmp_path: Path) -> None:
    steps = Told(
        tmp_path, medians={"a": 10, "b": 5}, ended={"memory": ConversionError("Too large.")}
    )
    found = told(tmp_path, steps, "standard")
    assert found.memory == ()
    assert found.memory_failures == {"a": "Too large.", "b": "Too large."}
    assert found.failures == {}
    assert {block.variant for block in found.blocks} == {"a", "b"}
    assert sum(task.name == "memory" for task in steps.ran) == 2, "not weighed again"


def test_when_nothing_can_be_measured_the_first_reason_is_given(
    model: Artifact, tmp_path: Path
) -> None:
    error = ConversionError("It broke.")
    with pytest.raises(ConversionError, match="It broke"):
        measured(model, InProcess(tmp_path, failing={"a": error, "b": error}))


def test_a_cancelled_job_ends(model: Artifact, tmp_path: Path) -> None:
    with pytest.raises(TaskCancelled):
        measured(model, InProcess(tmp_path, failing={"b": TaskCancelled()}))


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


def reading(**changed: Any) -> dict[str, Any]:
    """A look at a machine at rest, in JSON, with what is changed in it."""
    calm: dict[str, Any] = {
        "canary_ns": [25_000_000, 25_100_000, 24_900_000],
        "cpus": 2,
        "psi_avg10": 0.0,
        "steal_share": 0.0,
        "load1": 0.2,
        "others_cpus": 0.0,
        "memory_available": 8 * 1024**3,
        "memory_needed": 1024**3,
        "disk_free": 8 * 1024**3,
        "disk_needed": 0,
    }
    return calm | changed


@dataclass
class Told(InProcess):
    """Runs no task: looks, medians in ms by variant and weights are told beforehand."""

    looks: list[dict[str, Any]] = field(default_factory=list)
    medians: Mapping[str, float] = field(default_factory=dict)
    ended: Mapping[str, Exception] = field(default_factory=dict)

    def run(self, task: Task) -> dict[str, Any]:
        self.ran.append(task)
        if task.name in self.ended:
            raise self.ended[task.name]
        if task.name == "memory":
            key = task.request["variant"]
            return {"memory": dump(MemoryPass(key, 100, 200, 300, 50, 60))}
        if task.name == "gate":
            asked = sum(one.name == "gate" for one in self.ran) - 1
            return {"reading": self.looks[asked] if self.looks else reading()}
        key, index = task.request["variant"], task.request["round"]
        level = self.medians[key] * 1e6 * (1 + 0.002 * math.sin(index + len(key)))
        samples = tuple(int(level * (1 + 0.001 * math.cos(n))) for n in range(50))
        block = Block(
            key, index, 0.1, 0.1, 0.1, samples[:3], samples, 0.5, 0, (5_000_000, 5_000_000),
            0.0, 0.0, 0.1,
        )  # fmt: skip
        return {"block": dump(block) | self.spoiled.get(index, {})}


def told(tmp_path: Path, steps: Told, preset: str, floor: NoiseFloor | None = None) -> Measurement:
    original = eager(tmp_path / "model")
    variants = (
        Variant("a", "original", "torch", "PyTorch", 1, 1, True),
        Variant("b", "other", "torch", "Other", 1, 1),
    )
    artifacts = {name: replace(original, id=name) for name in ("original", "other")}
    made = make_plan(variants, preset, seed=1)
    return session.run(steps, made, artifacts, original.signature, floor)


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
    tmp_path: Path, spoiled: Mapping[str, Any], why: str
) -> None:
    steps = Told(tmp_path, medians={"a": 10, "b": 5}, spoiled={1: spoiled})
    found = told(tmp_path, steps, "quick")
    discarded = [block for block in found.blocks if block.discarded]
    assert {block.round for block in discarded} == {1}
    assert len(discarded) == 2
    assert all(why in (block.discarded or "") for block in discarded)
    assert len({b.round for b in found.blocks if not b.discarded}) == 5


def test_a_model_whose_own_threads_wait_is_not_discarded(tmp_path: Path) -> None:
    own = {"psi_share": 0.9, "others_cpus": 0.02}
    steps = Told(tmp_path, medians={"a": 10, "b": 5}, spoiled={1: own})
    assert not [block for block in told(tmp_path, steps, "quick").blocks if block.discarded]


def test_a_machine_that_never_rests_ends_after_half_as_many_more_rounds(tmp_path: Path) -> None:
    stolen = {index: {"steal_share": 0.5} for index in range(99)}
    steps = Told(tmp_path, medians={"a": 10.3, "b": 10}, spoiled=stolen)
    found = told(tmp_path, steps, "standard")
    assert len({block.round for block in found.blocks}) == 18
    assert len({block.round for block in found.blocks if not block.discarded}) == 12


def test_a_restless_machine_gets_more_looks_and_is_then_measured_all_the_same(
    tmp_path: Path,
) -> None:
    noisy = reading(canary_ns=[25_000_000, 31_000_000, 40_000_000])
    steps = Told(tmp_path, medians={"a": 10, "b": 5}, looks=[noisy] * 4)
    found = told(tmp_path, steps, "standard")
    assert [task.request["pause_s"] for task in steps.ran if task.name == "gate"] == [0, 10, 10, 10]
    assert [len(look.canary_ns) for look in found.gate] == [3] * 4
    assert found.blocks
    assert next(shown["live"] for shown in steps.shown if "live" in shown)["restless"]


def test_a_machine_that_comes_to_rest_is_not_asked_again(tmp_path: Path) -> None:
    steps = Told(tmp_path, medians={"a": 10, "b": 5}, looks=[reading(steal_share=0.2), reading()])
    found = told(tmp_path, steps, "standard")
    assert len(found.gate) == 2
    assert gate_failures(found.gate[0]) and not gate_failures(found.gate[-1])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"canary_ns": [100, 104, 96, 104, 96]}, "fixed work varied"),
        ({"canary_ns": [100] * 9 + [120]}, "1.20× the fastest"),
        ({"steal_share": 0.03}, "hypervisor took 3.0 %"),
        ({"psi_avg10": 0.4, "others_cpus": 0.9}, "waited for a CPU 40 %"),
        ({"load1": 1.5, "others_cpus": 0.9}, "load was 1.5 on 2 CPUs"),
        ({"memory_available": 1024**2}, "of memory were free"),
        ({"disk_free": 0, "disk_needed": 1024**3}, "of disk were free"),
    ],
)
def test_the_gate_says_which_reading_failed(changed: dict[str, Any], words: str) -> None:
    (said,) = gate_failures(parse(GateReading, reading(**changed)))
    assert words in said


def test_averages_that_our_own_work_made_do_not_fail_the_gate() -> None:
    own = reading(load1=1.9, psi_avg10=0.5, others_cpus=0.02)
    assert gate_failures(parse(GateReading, own)) == ()


def test_it_ends_at_the_checkpoint_when_nothing_is_open(tmp_path: Path) -> None:
    found = told(tmp_path, Told(tmp_path, medians={"a": 10, "b": 5}), "standard")
    assert found.stopped_at == 8
    assert len({block.round for block in found.blocks}) == 8


def test_it_goes_on_where_a_ratio_lies_on_the_edge_of_the_band(tmp_path: Path) -> None:
    found = told(tmp_path, Told(tmp_path, medians={"a": 10.3, "b": 10}), "standard")
    assert found.stopped_at is None
    assert len({block.round for block in found.blocks}) == 12


def test_a_noise_floor_of_the_host_widens_the_band(tmp_path: Path) -> None:
    floor = NoiseFloor(0.04, 24, "here", "2026-01-01T00:00:00+00:00")
    found = told(tmp_path, Told(tmp_path, medians={"a": 10.3, "b": 10}), "standard", floor)
    assert found.stopped_at == 8, "what was open at 3 % is settled at twice 4 %"
    assert verdicts.delta_of(found) == pytest.approx(0.08)


def test_the_rigorous_preset_measures_the_original_against_itself(tmp_path: Path) -> None:
    steps = Told(tmp_path, medians={"a": 10, "b": 5, "a-control": 10})
    found = told(tmp_path, steps, "rigorous")
    own = verdicts.control_ratio(found.plan, found.blocks)
    assert own is not None and own.verdict == "equivalent"
    assert 0 < verdicts.floor_share(own) < 0.01
    weighed = {task.request["variant"] for task in steps.ran if task.name == "memory"}
    assert weighed == {"a", "b"}, "a control is not weighed"


@pytest.mark.parametrize("phase", ["memory", "gate", "block"])
def test_it_can_be_cancelled_in_every_phase(tmp_path: Path, phase: str) -> None:
    steps = Told(tmp_path, medians={"a": 10, "b": 5}, ended={phase: TaskCancelled()})
    with pytest.raises(TaskCancelled):
        told(tmp_path, steps, "standard")
    assert steps.ran[-1].name == phase
    assert not any(task.repeatable for task in steps.ran)
