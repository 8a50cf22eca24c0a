"""A whole measurement: memory apart, then every variant in turn, one fresh process a block."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from engine.bench.environment import environment
from engine.bench.model import Block, Measurement, MeasurePlan, MemoryPass, Variant
from engine.bench.plan import rounds
from engine.errors import EngineError, Reason
from engine.jobs.isolation import tiers
from engine.jobs.protocol import Limits, Steps, Task
from engine.records import dump, parse
from engine.registry import format_named
from engine.settings import settings
from engine.types import Artifact, Signature

MEMORY_LABEL = "Weigh the memory"
TIMING_LABEL = "Time every variant in turn"

STEAL_LIMIT = 0.02
DRIFT_LIMIT = 0.05
"""Evidence from outside the model, declared beforehand: stolen time, and a changed canary."""

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
    steps: Steps, plan: MeasurePlan, artifacts: Mapping[str, Artifact], signature: Signature
) -> Measurement:
    """Measure what the plan says. A variant that fails is in ``failures``; the others go on.

    ``signature`` is the original's: all inputs are made from it. Raises the first variant's error
    when none could be measured, and TaskCancelled when a person stopped the job.
    """
    started, begin = datetime.now(UTC).isoformat(timespec="seconds"), monotonic()
    session = _Session(steps, plan, artifacts, signature)
    imports = {format_named(variant.format).import_module for variant in plan.variants}
    passes = plan.preset.memory_passes * len(plan.variants)
    blocks = plan.preset.rounds * len(plan.variants)
    steps.plan((MEMORY_LABEL,) * (len(imports) + passes) + (TIMING_LABEL,) * blocks)
    with steps.alone():
        session.weigh()
        session.time()
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
    )


def outside_evidence(blocks: tuple[Block, ...]) -> str | None:
    """Why a round says more about the machine than about the models; None when it does not."""
    for block in blocks:
        if block.steal_share is not None and block.steal_share > STEAL_LIMIT:
            return f"the hypervisor took {100 * block.steal_share:.1f} % of the processor time"
        before, after = block.canary_ns
        drift = abs(after - before) / min(before, after)
        if drift > DRIFT_LIMIT:
            word = "longer" if after > before else "shorter"
            return f"fixed work took {100 * drift:.0f} % {word} after a block than before it"
    return None


@dataclass(slots=True)
class _Session:
    """What has been gathered so far."""

    steps: Steps
    plan: MeasurePlan
    artifacts: Mapping[str, Artifact]
    signature: Signature
    blocks: list[Block] = field(default_factory=list)
    memory: list[MemoryPass] = field(default_factory=list)
    errors: dict[str, EngineError] = field(default_factory=dict)

    @property
    def alive(self) -> tuple[Variant, ...]:
        """The variants that have not failed."""
        return tuple(v for v in self.plan.variants if v.key not in self.errors)

    def weigh(self) -> None:
        """One baseline process for each framework, then the passes of every variant."""
        baselines: dict[str, int] = {}
        for _ in range(self.plan.preset.memory_passes):
            for variant in self.alive:
                module = format_named(variant.format).import_module
                if module not in baselines:
                    task = self._task("baseline", variant, {"format": variant.format})
                    found = self._attempt(variant, task)
                    if found is None:
                        continue
                    baselines[module] = found["peak_bytes"]
                self._weigh_once(variant, baselines[module])

    def _weigh_once(self, variant: Variant, baseline_bytes: int) -> None:
        request = self._request(variant) | {"baseline_bytes": baseline_bytes}
        found = self._attempt(variant, self._task("memory", variant, request))
        if found is not None:
            self.memory.append(parse(MemoryPass, found["memory"]))

    def time(self) -> None:
        """Every round; one with outside evidence is discarded and replaced, whole.

        Only as many as the preset has spare rounds: on a machine that never rests the later
        rounds are kept, and the grade of the result says what they are worth.
        """
        planned = self.plan.preset.rounds
        order = rounds(
            tuple(variant.key for variant in self.plan.variants),
            planned + self.plan.preset.spare_rounds,
            self.plan.seed,
        )
        kept = 0
        for index, keys in enumerate(order):
            done = self._round(index, keys)
            if not self.alive:
                return
            evidence = outside_evidence(done)
            spare = len(order) - index - 1 >= planned - kept
            if evidence is not None and spare:
                self.blocks.extend(replace(block, discarded=evidence) for block in done)
            else:
                self.blocks.extend(done)
                kept += 1
            if kept == planned:
                return

    def _round(self, index: int, keys: tuple[str, ...]) -> tuple[Block, ...]:
        done: list[Block] = []
        variants = {variant.key: variant for variant in self.plan.variants}
        for key in keys:
            if key in self.errors:
                continue
            variant = variants[key]
            request = self._request(variant) | {
                "preset": dump(self.plan.preset),
                "round": index,
            }
            found = self._attempt(variant, self._task("block", variant, request))
            if found is not None:
                done.append(parse(Block, found["block"]))
                self._publish(index, done)
        return tuple(done)

    def _publish(self, index: int, done: list[Block]) -> None:
        """The medians so far, small enough to be shown at every tick."""
        so_far = [block for block in (*self.blocks, *done) if block.discarded is None]
        medians: dict[str, list[float]] = {variant.key: [] for variant in self.plan.variants}
        for block in so_far:
            medians[block.variant].append(round(statistics.median(block.samples_ns) / 1e6, 4))
        self.steps.publish(
            {
                "live": {
                    "round": index + 1,
                    "rounds": max(self.plan.preset.rounds, index + 1),
                    "variants": [
                        {
                            "key": variant.key,
                            "label": variant.label,
                            "batch": variant.batch,
                            "p50_ms": statistics.median(medians[variant.key] or [0.0]) or None,
                            "blocks_ms": medians[variant.key],
                        }
                        for variant in self.plan.variants
                    ],
                }
            }
        )

    def _attempt(self, variant: Variant, task: Task) -> dict[str, Any] | None:
        """The task's result, or None with the variant's failure noted."""
        try:
            return self.steps.run(task)
        except EngineError as error:
            if error.reason in _NOT_THE_VARIANT:
                raise
            self.errors[variant.key] = error
            return None

    def _task(self, name: str, variant: Variant, request: Mapping[str, Any]) -> Task:
        """A fresh process with equal, explicit thread counts, never silently run again."""
        threads = str(variant.threads)
        return Task(
            name,
            TIMING_LABEL if name == "block" else MEMORY_LABEL,
            request,
            Limits(wall_s=600 + 6 * self.plan.preset.cap_s),
            environment={
                **dict.fromkeys(_THREAD_VARIABLES, threads),
                "TOKENIZERS_PARALLELISM": "false",
                "PYTHONHASHSEED": "0",
            },
            repeatable=False,
        )

    def _request(self, variant: Variant) -> dict[str, Any]:
        return {
            "variant": variant.key,
            "label": variant.label,
            "artifact": dump(self.artifacts[variant.artifact_id]),
            "signature": dump(self.signature),
            "batch": variant.batch,
            "threads": variant.threads,
            "seed": self.plan.seed,
        }
