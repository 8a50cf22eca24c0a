"""The fewest layers that must stay in float: each try an artifact, made, judged and timed.

Layers are ranked and tries compared on the calibration part, and what is found is judged once on
the evaluation part: figures that chose among tries flatter what they chose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from engine import processor, registry, store
from engine.data.drawn import RANDOM
from engine.data.model import Dataset
from engine.errors import BadRequest
from engine.jobs.protocol import Steps, Task
from engine.pipeline.converting import Made, Work
from engine.pipeline.explaining import before_pruning, data_of, layered, sensitivity
from engine.pipeline.judging import Judge
from engine.pipeline.requests import ExcludeRequest, SensitivityRequest
from engine.quality.figures import Interval, accuracy, agreement
from engine.quality.model import Quality
from engine.records import dump
from engine.store.findings import SEARCH
from engine.tuning import outcome
from engine.tuning.model import Confirmation, Goal, LayerError, Search, Trial
from engine.tuning.search import candidates, exclusion, fewest
from engine.types import Artifact, Change, Target
from engine.verify.model import Thresholds, Verification

_EXACT_DB = 200.0
"""Said of an artifact that differs nowhere: more than float32 can tell."""
_SEARCHING = "The search has not ended."


def exclude(steps: Steps, request: ExcludeRequest) -> dict[str, Any]:
    """Leave the worst layers in float until the goal is met, with as few of them as that takes.

    Met is met on the calibration part; on the evaluation part it is confirmed, or is not.
    Gives ``{"artifact_id", "artifacts": [id, …]}``; the search is kept with the artifact.
    """
    artifact, baseline, data = asked(request)
    found = sensitivity(steps, artifact, baseline, data)
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
    data = data_of(request)
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
    _chooser: Judge = field(init=False)
    _judge: Judge = field(init=False)
    _made: dict[int, Made] = field(default_factory=dict)

    def __post_init__(self) -> None:
        model = store.models.load(self.request.model_id)
        self._work = Work(self.steps, model, self.data)
        original = model.artifact
        self._chooser = Judge(self.steps, original, self.data, Thresholds(), choosing=True)
        self._judge = Judge(self.steps, original, self.data, Thresholds())

    def tried(self, many: int) -> Trial:
        """Make, judge and time it with so many of the worst layers in float."""
        if many in self.trials:
            return self.trials[many]
        excluded = self.layers[:many]
        made = self._work.make(self._target(many)) if many else self._as_it_is()
        self._made[many] = made
        if many:  # kept with it; it plays no part in the search
            self._judge.verify(made.artifact, made.original)
        artifact, value = made.artifact, self._figure(self._chooser, made).value
        self.trials[many] = Trial(
            excluded=tuple(f"{one.layer or one.node} ({one.operator})" for one in excluded),
            artifact_id=artifact.id,
            size_bytes=artifact.size_bytes,
            value=value,
            met=self.request.goal.met_by(value),
            milliseconds=self._glance(artifact),
        )
        self._keep(None, None, _SEARCHING)
        return self.trials[many]

    def end(self, many: int | None) -> dict[str, Any]:
        """Confirm what was found where nothing chose it, say both, and keep it."""
        goal, on = self.request.goal, self._chooser.on
        if many is None:
            return self._keep(None, None, outcome.missed(goal, self.trials, on))
        confirmed = self._confirmed(self._made[many])
        sentence = (
            f"{outcome.found(goal, self.trials, many, on)} {outcome.elsewhere(goal, confirmed)}"
        )
        return self._keep(many, confirmed, sentence)

    def _confirmed(self, made: Made) -> Confirmation:
        found = self._figure(self._judge, made)
        if self.request.goal.kind == "sqnr":
            self._judge.weigh(made.artifact)  # kept with it, whatever the goal
        return found

    def _target(self, many: int) -> Target:
        """As the artifact was asked for, with so many layers more left in float."""
        *before, last = self.start.passes
        known = str(last.options.get("exclude", ""))
        names = ";".join(filter(None, (known, exclusion(self.layers[:many]))))
        change = Change(last.name, {**last.options, "exclude": names} if names else last.options)
        return Target(self.start.format, self.start.options, (*before, change))

    def _as_it_is(self) -> Made:
        return Made(self.start, before_pruning(self.start, self._work.model))

    def _figure(self, judge: Judge, made: Made) -> Confirmation:
        """Its quality by one judge, in the unit of the goal."""
        goal, on = self.request.goal, judge.on
        quality = None if goal.kind == "sqnr" else judge.weigh(made.artifact)
        value, interval = None, None
        if quality is not None:
            on = f"{quality.samples:,} {quality.noun} of {judge.on}"
            value, interval = _of_answers(goal, quality)
        elif goal.kind != "accuracy":
            found = judge.verify(made.artifact, made.original)
            value, interval = _of_numbers(goal, found)
        return Confirmation(on, value, interval, goal.met_by(value))

    def _glance(self, artifact: Artifact) -> float:
        request = {"artifact": dump(artifact), "threads": processor.cores()}
        label = f"Time {registry.named(artifact)}"
        with self.steps.alone():
            return float(self.steps.run(Task("glance", label, request))["milliseconds"])

    def _keep(
        self, many: int | None, confirmed: Confirmation | None, sentence: str
    ) -> dict[str, Any]:
        found = None if many is None else self.trials[many].artifact_id
        search = Search(
            artifact_id=self.start.id,
            goal=self.request.goal,
            data_name=self.data.name if self.data else RANDOM,
            trials=tuple(self.trials[count] for count in sorted(self.trials)),
            found=found,
            target=self._target(many or 0).key,
            sentence=sentence,
            chosen_on=self._chooser.on,
            confirmed=confirmed,
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


def _of_answers(goal: Goal, quality: Quality) -> tuple[float | None, Interval | None]:
    """Points of accuracy lost, or percent of the same answers, with its interval."""
    if goal.kind == "accuracy":
        held = accuracy(quality)
        if held is None:
            return None, None
        low, high = held.interval
        return -100 * held.difference, (-100 * high, -100 * low)
    same = agreement(quality)
    return (None, None) if same is None else (100 * same.value, _percent(same.interval))


def _of_numbers(goal: Goal, found: Verification) -> tuple[float | None, Interval | None]:
    """The least SQNR, or percent of the rows with the same top answer, with its interval."""
    if goal.kind == "sqnr":
        return least_sqnr(found), None
    share, interval = found.top1_agreement, found.top1_interval
    if share is None:
        return None, None
    return 100 * share, None if interval is None else _percent(interval)


def _percent(interval: Interval) -> Interval:
    low, high = interval
    return 100 * low, 100 * high
