"""A whole measurement: memory apart, then every variant in turn, one fresh process a block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import Any

from engine.bench import live, studies, verdicts
from engine.bench.environment import environment
from engine.bench.evidence import gate_failures, outside_evidence
from engine.bench.model import (
    Block,
    GateReading,
    Measurement,
    MeasurePlan,
    MemoryPass,
    NoiseFloor,
    Variant,
)
from engine.bench.plan import rounds
from engine.errors import EngineError, Reason
from engine.jobs.isolation import tiers
from engine.jobs.protocol import Limits, Steps, Task
from engine.records import dump, parse
from engine.settings import settings
from engine.types import Artifact, Signature

MEMORY_LABEL = "Weigh the memory"
GATE_LABEL = "See whether the machine is at rest"
TIMING_LABEL = "Time every variant in turn"

PAUSE_S = 0.3
"""Before each block: what the last one left behind (pages, clocks) settles."""

_NOT_THE_VARIANT = (Reason.CANCELLED, Reason.WORKER_LOST, Reason.DISK_FULL)
"""Ends that say nothing about a variant: the whole measurement ends."""

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def run(
    steps: Steps,
    plan: MeasurePlan,
    artifacts: Mapping[str, Artifact],
    signature: Signature,
    floor: NoiseFloor | None = None,
) -> Measurement:
    """Measure what the plan says. A variant that fails is in ``failures``; the others go on.

    One whose memory could not be weighed is in ``memory_failures``, and timed all the same.
    ``signature`` is the original's: all inputs are made from it. ``floor`` is this host's, as far
    as known. Raises the first variant's error when none could be measured, and TaskCancelled when
    a person stopped the job.
    """
    started, begin = datetime.now(UTC).isoformat(timespec="seconds"), monotonic()
    session = _Session(steps, plan, artifacts, signature, floor)
    weighed = [variant for variant in plan.variants if variant.control_of is None]
    passes = plan.preset.memory_passes * len(weighed)
    blocks = plan.preset.rounds * len(plan.variants)
    beside = tuple(studies.studies()[name].title for name in plan.studies)
    steps.plan((MEMORY_LABEL,) * passes + (GATE_LABEL,) + (TIMING_LABEL,) * blocks + beside)
    with steps.alone():
        session.weigh()
        session.look()
        session.time()
        found = session.study()
    if not session.blocks and session.errors:
        raise next(iter(session.errors.values()))
    return Measurement(
        plan=plan,
        blocks=tuple(session.blocks),
        memory=tuple(session.memory),
        environment=environment(tiers.sandbox(settings().sandbox).name),
        failures={key: str(error) for key, error in session.errors.items()},
        started_at=started,
        seconds=round(monotonic() - begin, 1),
        gate=tuple(session.gate),
        floor=floor,
        stopped_at=session.stopped_at,
        memory_failures={key: str(error) for key, error in session.unweighed.items()},
        study_failures=session.unstudied,
        **found,
    )


@dataclass(slots=True)
class _Session:
    """What has been gathered so far."""

    steps: Steps
    plan: MeasurePlan
    artifacts: Mapping[str, Artifact]
    signature: Signature
    floor: NoiseFloor | None
    blocks: list[Block] = field(default_factory=list)
    memory: list[MemoryPass] = field(default_factory=list)
    gate: list[GateReading] = field(default_factory=list)
    errors: dict[str, EngineError] = field(default_factory=dict)
    unweighed: dict[str, EngineError] = field(default_factory=dict)
    unstudied: dict[str, str] = field(default_factory=dict)
    stopped_at: int | None = None
    _timing_since: float = 0.0

    @property
    def alive(self) -> tuple[Variant, ...]:
        """The variants whose timing has not failed."""
        return tuple(v for v in self.plan.variants if v.key not in self.errors)

    def weigh(self) -> None:
        """The passes of every variant. One that fails here is not weighed again, but timed."""
        own = tuple(variant for variant in self.plan.variants if variant.control_of is None)
        order, begin = own * self.plan.preset.memory_passes, monotonic()
        for done, variant in enumerate(order, start=1):
            if variant.key in self.unweighed:
                continue
            task = self.task("memory", variant, self.request(variant))
            found = self.attempt(variant, task, self.unweighed)
            if found is not None:
                self.memory.append(parse(MemoryPass, found["memory"]))
            left = (monotonic() - begin) / done * (len(order) - done)
            to_come = ("the times", *self._studies())
            self.steps.publish(live.weighing(done, len(order), left, to_come))

    def look(self) -> None:
        """Look at the machine before timing; a restless one gets some more looks, then it goes on.

        The grade of the result then says so: to wait for ever would be no answer.
        """
        preset = self.plan.preset
        for number in range(preset.gate_tries):
            request = {
                "pause_s": preset.gate_pause_s if number else 0.0,
                "memory_needed": 2 * max((m.peak_bytes for m in self.memory), default=0),
                "disk_needed": 2 * max((a.size_bytes for a in self.artifacts.values()), default=0),
            }
            task = Task("gate", GATE_LABEL, request, repeatable=False)
            reading = parse(GateReading, self.steps.run(task)["reading"])
            self.gate.append(reading)
            if not gate_failures(reading):
                return

    def time(self) -> None:
        """Every round; one with outside evidence is discarded and replaced, whole.

        Only as many as the preset has spare rounds: on a machine that never rests the later
        rounds are kept, and the grade of the result says what they are worth. At a checkpoint it
        ends when nothing is open.
        """
        planned = self.plan.preset.rounds
        order = rounds(
            tuple(variant.key for variant in self.plan.variants),
            planned + self.plan.preset.spare_rounds,
            self.plan.seed,
        )
        kept = 0
        self._timing_since = monotonic()
        for index, keys in enumerate(order):
            done = self._round(index, keys, kept)
            if not self.alive:
                return
            evidence = outside_evidence(done)
            spare = len(order) - index - 1 >= planned - kept
            if evidence is not None and spare:
                self.blocks.extend(replace(block, discarded=evidence) for block in done)
            else:
                self.blocks.extend(done)
                kept += 1
            if kept == planned or self._settled(kept):
                break
        ran = max((block.round for block in self.blocks), default=-1) + 1
        self._show(self.blocks, ran, 0.0)

    def study(self) -> dict[str, tuple[Any, ...]]:
        """What every study of the plan finds, by the field of ``Measurement`` it belongs to."""
        return {
            name: studies.module(name).run(_Bench(self, studies.studies()[name]))
            for name in self.plan.studies
        }

    def _settled(self, kept: int) -> bool:
        """At a checkpoint, whether the rest would change nothing; remembered where it would not."""
        if kept not in self.plan.preset.checkpoints:
            return False
        own = verdicts.control_ratio(self.plan, self.blocks)
        share = verdicts.floor_share(own) if own else self.floor.share if self.floor else None
        delta = verdicts.delta_over(self.plan, share)
        if not verdicts.settled(self.plan, self.alive, self.blocks, delta):
            return False
        self.stopped_at = kept
        return True

    def _round(self, index: int, keys: tuple[str, ...], kept: int) -> tuple[Block, ...]:
        done: list[Block] = []
        variants = {variant.key: variant for variant in self.plan.variants}
        for key in keys:
            if key in self.errors:
                continue
            sleep(PAUSE_S)
            variant = variants[key]
            request = self.request(variant) | {
                "preset": dump(self.plan.preset),
                "round": index,
            }
            found = self.attempt(
                variant, self.task("block", variant, request, TIMING_LABEL), self.errors
            )
            if found is not None:
                done.append(parse(Block, found["block"]))
                self._publish(done, kept)
        return tuple(done)

    def _publish(self, done: list[Block], kept: int) -> None:
        """What there is so far, between two blocks: nothing is computed while one runs."""
        ran = len(self.blocks) + len(done)
        left = (self.plan.preset.rounds - kept) * len(self.alive) - len(done)
        pace = (monotonic() - self._timing_since) / ran
        rounds_left = self.plan.preset.rounds - kept - 1
        total = max(block.round for block in done) + 1 + rounds_left
        blocks = [*self.blocks, *done]
        self._show(blocks, total, pace * left)

    def _show(self, blocks: list[Block], total: int, seconds_left: float) -> None:
        found = live.snapshot(self.plan, blocks, self.gate, total, seconds_left, self._studies())
        self.steps.publish(found)

    def _studies(self) -> tuple[str, ...]:
        return tuple(studies.studies()[name].title for name in self.plan.studies)

    def attempt(
        self, variant: Variant, task: Task, errors: dict[str, EngineError]
    ) -> dict[str, Any] | None:
        """The task's result, or None with the variant's failure noted among this part's."""
        try:
            return self.steps.run(task)
        except EngineError as error:
            if error.reason in _NOT_THE_VARIANT:
                raise
            errors[variant.key] = error
            return None

    def task(
        self,
        name: str,
        variant: Variant,
        request: Mapping[str, Any],
        label: str = MEMORY_LABEL,
        limits: Limits | None = None,
    ) -> Task:
        """A fresh process with equal, explicit thread counts, never silently run again."""
        threads = str(variant.threads)
        return Task(
            name,
            label,
            request,
            limits or Limits(wall_s=600 + 6 * self.plan.preset.cap_s),
            environment={
                **dict.fromkeys(_THREAD_VARIABLES, threads),
                "TOKENIZERS_PARALLELISM": "false",
                "PYTHONHASHSEED": "0",
            },
            repeatable=False,
        )

    def request(self, variant: Variant) -> dict[str, Any]:
        return {
            "variant": variant.key,
            "label": variant.label,
            "artifact": dump(self.artifacts[variant.artifact_id]),
            "signature": dump(self.signature),
            "batch": variant.batch,
            "threads": variant.threads,
            "pinned": variant.pinned,
            "seed": self.plan.seed,
        }


@dataclass(frozen=True, slots=True)
class _Bench:
    """What a study sees of the session it belongs to."""

    session: _Session
    about: studies.Study

    @property
    def plan(self) -> MeasurePlan:
        return self.session.plan

    @property
    def artifacts(self) -> Mapping[str, Artifact]:
        return self.session.artifacts

    @property
    def variants(self) -> tuple[Variant, ...]:
        return tuple(
            variant
            for variant in self.session.alive
            if variant.control_of is None and self._key(variant) not in self.session.unstudied
        )

    def observe(
        self,
        variant: Variant,
        request: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
    ) -> dict[str, Any] | None:
        if self._key(variant) in self.session.unstudied:
            return None
        try:
            return self.attempt(variant, request, limits)
        except EngineError as error:
            if error.reason is Reason.CANCELLED:
                raise
            self.leave_out(variant, str(error))  # the times are taken and stay, whatever it was
            return None

    def attempt(
        self,
        variant: Variant,
        request: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
    ) -> dict[str, Any]:
        whole = self.session.request(variant) | {"study": self.about.name} | dict(request or {})
        return self.session.steps.run(
            self.session.task("study", variant, whole, self.about.title, limits)
        )

    def leave_out(self, variant: Variant, why: str) -> None:
        self.session.unstudied[self._key(variant)] = why

    def _key(self, variant: Variant) -> str:
        return f"{self.about.name}: {variant.key}"
