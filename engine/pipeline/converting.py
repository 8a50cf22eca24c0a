"""Convert: formats and passes, each step a task, and everything made verified."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from engine import changes, registry, store
from engine.data.model import Dataset
from engine.errors import EngineError, TaskCancelled, UnsupportedModel
from engine.files import hash_path, publish, size_of
from engine.jobs import evidence
from engine.jobs.protocol import PATIENT, Limits, Steps, Task
from engine.pipeline.judging import Judge, judging_steps
from engine.pipeline.planning import edge_label, pass_label, planned, way
from engine.pipeline.requests import ConvertRequest
from engine.records import dump, fingerprint, parse
from engine.settings import settings
from engine.types import Artifact, Change, Model, Signature, Step, Target


def convert(steps: Steps, request: ConvertRequest) -> dict[str, Any]:
    """Convert and verify. One target's failure does not stop the others: it is in ``failures``.

    Gives ``{"artifacts": [id, …], "failures": {key of the target: sentence}}``.
    """
    model = store.models.runnable(request.model_id)
    data = store.data.load_for(model.id, request.data_id) if request.data_id else None
    labels = [changes.label_of(target) for target in request.targets]
    making = (step.label for step in planned(model.artifact, request.targets))
    steps.plan((*making, *judging_steps(labels, data)))
    work = Work(steps, model, data)
    made: dict[str, Made] = {}
    failures: dict[str, str] = {}

    def publish_so_far() -> dict[str, Any]:
        found = {"artifacts": [one.artifact.id for one in made.values()], "failures": failures}
        steps.publish(found)
        return found

    for target in request.targets:
        with _collected(failures, target.key):
            made[target.key] = work.make(target)
        publish_so_far()
    judge = Judge(steps, model.artifact, data, request.thresholds)
    for key, one in made.items():
        with _collected(failures, key):
            judge.verify(one.artifact, one.original)
        publish_so_far()
    for key, one in made.items():
        if key in failures:
            continue
        with _collected(failures, key):
            judge.weigh(one.artifact)
    return {**publish_so_far(), "notes": judge.notes}


@dataclass(frozen=True, slots=True)
class Made:
    """An artifact, and what it is held against: the model, or what a pruning made of it."""

    artifact: Artifact
    original: Artifact


@dataclass(slots=True)
class Work:
    """One job: what it made so far is not made twice, however many targets share it."""

    steps: Steps
    model: Model
    data: Dataset | None
    _known: dict[tuple[str, ...], Artifact] = field(default_factory=dict)

    def make(self, target: Target) -> Made:
        """Follow the route stop by stop; each edge and each pass is a task."""
        artifact = original = self.model.artifact
        for index, (stop, done_there) in enumerate(way(artifact, target)):
            if index:
                artifact = self._once((artifact.id, stop.key), self._edge, artifact, stop)
            for change in done_there:
                known = changes.pass_named(change.name)
                goal = target.format if known.per_target else ""
                where = (artifact.id, change.key, goal)
                artifact = self._once(where, self._pass, artifact, change, goal)
                if not known.precision:
                    original = artifact
        return Made(artifact, original)

    def _once(self, where: tuple[str, ...], make: Callable[..., Artifact], *of: Any) -> Artifact:
        if where not in self._known:
            self._known[where] = make(*of)
        return self._known[where]

    def _edge(self, source: Artifact, asked: Target) -> Artifact:
        """One converter."""
        reads = registry.takes_given(source.format, asked.format)
        request = {
            "target": asked.format,
            "options": dict(asked.options),
            "change": None,
            "data": dump(self.data) if reads else None,
        }
        made = Target(asked.format, asked.options, source.passes)
        return self._task(edge_label(asked), source, request, made)

    def _pass(self, source: Artifact, change: Change, goal: str) -> Artifact:
        """One pass, on an artifact that may still refuse it, on the way to the format ``goal``."""
        if why := changes.refusal(change.name, source):
            raise UnsupportedModel(why, hint="Choose another pass for this model.")
        request = {
            "target": source.format,
            "options": {},
            "change": dump(change),
            "data": dump(self.data),
            "goal": goal,
        }
        asked = Target(source.format, source.options, (*source.passes, change))
        return self._task(pass_label(change, source.target), source, request, asked)

    def _task(
        self, label: str, source: Artifact, request: Mapping[str, Any], asked: Target
    ) -> Artifact:
        """One step in a process of its own; what it made is moved to its place and kept."""
        reads = request["change"] or registry.takes_given(source.format, asked.format)
        limits = PATIENT if reads else Limits()
        task = Task("convert", label, {"artifact": dump(source), **request}, limits)
        result = self.steps.run(task)
        made = evidence.made(self.steps.out(result), result["path"])
        sha256 = hash_path(made)
        parts = ("artifact", self.model.id, asked.format, sha256)
        artifact_id = fingerprint(*parts, *(change.key for change in asked.passes))
        home = settings().artifacts_dir / artifact_id
        publish(made.parent, home)
        artifact = Artifact(
            id=artifact_id,
            format=asked.format,
            path=home / made.name,
            sha256=sha256,
            size_bytes=size_of(home / made.name),
            signature=parse(Signature, result["signature"]),
            lineage=(*source.lineage, parse(Step, result["step"])),
            variant=_variant(source, asked, result["variant"]),
            options=asked.options,
            passes=asked.passes,
        )
        store.artifacts.save(artifact, self.model.id)
        return artifact


def _variant(source: Artifact, asked: Target, own: str) -> str:
    """What tells it from others of its format: its own options, and the passes it went through."""
    if asked.passes == source.passes:
        return ", ".join(filter(None, (own, *map(changes.words, asked.passes))))
    return ", ".join(filter(None, (source.variant, changes.words(asked.passes[-1]))))


@contextmanager
def _collected(failures: dict[str, str], key: str) -> Iterator[None]:
    """Let one target fail alone; a cancelled job still ends the whole."""
    try:
        yield
    except TaskCancelled:
        raise
    except EngineError as error:
        failures[key] = str(error)
