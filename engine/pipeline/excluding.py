"""The fewest layers that must stay in float: each try an artifact, made, judged and timed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from engine import registry, store
from engine.data.model import Dataset
from engine.errors import BadRequest
from engine.jobs.protocol import Steps, Task
from engine.pipeline.converting import Made, Work
from engine.pipeline.explaining import before_pruning, layered, sensitivity
from engine.pipeline.judging import Judge
from engine.pipeline.requests import ExcludeRequest, SensitivityRequest
from engine.quality.figures import accuracy, agreement
from engine.records import dump
from engine.store.findings import SEARCH
from engine.tuning.model import Goal, LayerError, Search, Trial
from engine.tuning.search import candidates, exclusion, fewest
from engine.types import Artifact, Change, Target
from engine.verify.model import Thresholds, Verification

_EXACT_DB = 200.0
"""Said of an artifact that differs nowhere: more than float32 can tell."""
_SEARCHING = "The search has not ended."


def exclude(steps: Steps, request: ExcludeRequest) -> dict[str, Any]:
    """Leave the worst layers in float until the goal is met, with as few of them as that takes.

    Gives ``{"artifact_id", "artifacts": [id, …]}``; the search is kept with the artifact.
    """
    artifact, baseline, data = asked(request)
    found = sensitivity(steps, artifact, baseline, request.data_id)
    hunt = _Hunt(steps, request, artifact, data, candidates(found.worst_first))
    if hunt.tried(0).met:
        return hunt.end(0)
    if not hunt.layers:
        return hunt.end(None)
    return hunt.end(fewest(len(hunt.layers), lambda many: hunt.tried(many).met))


def asked(request: ExcludeRequest) -> tuple[Artifact, Artifact, Dataset | None]:
    """The artifact, the same in float, and the data. Raises NotFound, BadRequest."""
    layers = SensitivityRequest(request.model_id, request.artifact_id, request.data_id)
    artifact, baseline = layered(layers)
    data = store.data.load(request.data_id) if request.data_id else None
    if request.goal.kind == "accuracy" and not (data and data.labelled):
        raise BadRequest(
            "Accuracy needs samples whose class is known, and there are none.",
            hint="Bring labelled data, or ask for agreement with the original.",
        )
    return artifact, baseline, data


@dataclass(slots=True)
class _Hunt:
    """One search: what was tried so far is kept as it comes."""

    steps: Steps
    request: ExcludeRequest
    start: Artifact
    data: Dataset | None
    layers: Sequence[LayerError]
    trials: dict[int, Trial] = field(default_factory=dict)
    _work: Work = field(init=False)
    _judge: Judge = field(init=False)

    def __post_init__(self) -> None:
        model = store.models.load(self.request.model_id)
        self._work = Work(self.steps, model, self.data)
        self._judge = Judge(self.steps, model.artifact, self.data, Thresholds())

    def tried(self, many: int) -> Trial:
        """Make, judge and time it with so many of the worst layers in float."""
        if many in self.trials:
            return self.trials[many]
        excluded = self.layers[:many]
        made = self._work.make(self._target(many)) if many else self._as_it_is()
        artifact, value = made.artifact, self._value(made)
        self.trials[many] = Trial(
            excluded=tuple(f"{one.layer or one.node} ({one.operator})" for one in excluded),
            artifact_id=artifact.id,
            size_bytes=artifact.size_bytes,
            value=value,
            met=self.request.goal.met_by(value),
            milliseconds=self._glance(artifact),
        )
        self._keep(None, _SEARCHING)
        return self.trials[many]

    def end(self, many: int | None) -> dict[str, Any]:
        """Say what was found, and keep it."""
        return self._keep(many, _sentence(self.request.goal, self.trials, many))

    def _target(self, many: int) -> Target:
        """As the artifact was asked for, with so many layers more left in float."""
        *before, last = self.start.passes
        known = str(last.options.get("exclude", ""))
        names = ";".join(filter(None, (known, exclusion(self.layers[:many]))))
        change = Change(last.name, {**last.options, "exclude": names} if names else last.options)
        return Target(self.start.format, self.start.options, (*before, change))

    def _as_it_is(self) -> Made:
        return Made(self.start, before_pruning(self.start, self._work.model))

    def _value(self, made: Made) -> float | None:
        """Its quality, in the unit of the goal."""
        verification = self._judge.verify(made.artifact, made.original)
        quality = self._judge.weigh(made.artifact)  # kept with each, whatever the goal
        if self.request.goal.kind == "sqnr":
            return least_sqnr(verification)
        if self.request.goal.kind == "accuracy":
            held = accuracy(quality) if quality else None
            return None if held is None else -100 * held.difference
        if quality is None:
            share = verification.top1_agreement
            return None if share is None else 100 * share
        same = agreement(quality)
        return None if same is None else 100 * same.value

    def _glance(self, artifact: Artifact) -> float:
        request = {"artifact": dump(artifact), "threads": len(os.sched_getaffinity(0))}
        label = f"Time {registry.named(artifact)}"
        with self.steps.alone():
            return float(self.steps.run(Task("glance", label, request))["milliseconds"])

    def _keep(self, many: int | None, sentence: str) -> dict[str, Any]:
        found = None if many is None else self.trials[many].artifact_id
        search = Search(
            artifact_id=self.start.id,
            goal=self.request.goal,
            data_name=self.data.name if self.data else "random values",
            trials=tuple(self.trials[count] for count in sorted(self.trials)),
            found=found,
            target=self._target(many or 0).key,
            sentence=sentence,
        )
        store.findings.save(self.start.id, SEARCH, search)
        made = [trial.artifact_id for count, trial in self.trials.items() if count]
        result = {"artifact_id": self.start.id, "artifacts": made}
        self.steps.publish(result)
        return result


def least_sqnr(verification: Verification) -> float | None:
    """The lowest SQNR of any output in any case, in dB; None where a case failed."""
    if any(case.error for case in verification.cases):
        return None
    outputs = (output for case in verification.cases for output in case.outputs)
    known = [output.sqnr_db for output in outputs if output.sqnr_db is not None]
    return min(known, default=_EXACT_DB)


def _sentence(goal: Goal, trials: dict[int, Trial], many: int | None) -> str:
    tries = f"{len(trials)} {'try' if len(trials) == 1 else 'tries'}"
    if many is None:
        most = max(trials)
        return (
            f"Not even with {most} layers in float is the goal met: "
            f"{goal.said(trials[most].value)} after {tries}. "
            "Look at the calibration data, or take FP16."
        )
    if many == 0:
        return f"The goal is met as it is: {goal.said(trials[0].value)}."
    layers = "1 layer" if many == 1 else f"{many} layers"
    return (
        f"With {layers} left in float the goal is met: {goal.said(trials[many].value)}, where it "
        f"was {goal.said(trials[0].value)}. Found in {tries}."
    )
