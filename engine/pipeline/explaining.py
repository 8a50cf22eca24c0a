"""Look into an artifact: why it is as fast as it is, and where it loses quality."""

from __future__ import annotations

from typing import Any

from engine import changes, processor, registry, store
from engine.bench import limits
from engine.data.model import Dataset
from engine.errors import BadRequest
from engine.jobs.protocol import PATIENT, Steps, Task
from engine.pipeline.requests import ExcludeRequest, ExplainRequest, SensitivityRequest
from engine.records import dump, parse
from engine.store.findings import EXPLANATION, SENSITIVITY
from engine.tuning.model import Explanation, Sensitivity
from engine.types import Artifact, Model


def explain(steps: Steps, request: ExplainRequest) -> dict[str, Any]:
    """Profile an artifact beside what its last pass was done on. Gives ``{"artifact_id": …}``."""
    artifact, model = of_model(request.artifact_id, request.model_id)
    label = f"Look into {registry.named(artifact)}"
    threads = processor.cores()
    asked = {
        "artifact": dump(artifact),
        "baseline": dump(before_last_pass(artifact, model)),
        "threads": threads,
        "machine": dump(limits.known(threads)),
    }
    with steps.alone():
        result = steps.run(Task("explain", label, asked))
    found = parse(Explanation, result["explanation"])
    limits.keep(found.machine)
    store.findings.save(artifact.id, EXPLANATION, found)
    return {"artifact_id": artifact.id}


def look_at_layers(steps: Steps, request: SensitivityRequest) -> dict[str, Any]:
    """Compare every quantized node with float. Gives ``{"artifact_id": …}``."""
    artifact, baseline = layered(request)
    found = sensitivity(steps, artifact, baseline, data_of(request))
    return {"artifact_id": found.artifact_id}


def sensitivity(
    steps: Steps, artifact: Artifact, baseline: Artifact, data: Dataset | None
) -> Sensitivity:
    """One step: the layers of an artifact, compared and kept with it."""
    asked = {
        "artifact": dump(artifact),
        "baseline": dump(baseline),
        "data": dump(data),
    }
    label = f"Compare the layers of {registry.named(artifact)}"
    result = steps.run(Task("sensitivity", label, asked, PATIENT))
    found = parse(Sensitivity, result["sensitivity"])
    store.findings.save(artifact.id, SENSITIVITY, found)
    return found


def data_of(request: SensitivityRequest | ExcludeRequest) -> Dataset | None:
    """The data of a request, which is of its model. Raises NotFound, BadRequest."""
    return store.data.load_for(request.model_id, request.data_id) if request.data_id else None


def layered(request: SensitivityRequest) -> tuple[Artifact, Artifact]:
    """The artifact of a request, and the same in float. Raises NotFound, BadRequest."""
    artifact, model = of_model(request.artifact_id, request.model_id)
    if not has_layers(artifact):
        raise BadRequest(
            f"{registry.named(artifact)} has no layers to compare: its graph holds no Q/DQ pairs.",
            hint="Layers are compared on ONNX after calibrated INT8.",
        )
    baseline = before_last_pass(artifact, model)
    if baseline is None:
        raise BadRequest(
            f"What {registry.named(artifact)} was made from is not here any more.",
            hint="Make ONNX without a pass as well, then this again.",
        )
    return artifact, baseline


def has_layers(artifact: Artifact) -> bool:
    """Whether its last pass left an ONNX graph with Q/DQ pairs."""
    if artifact.format != "onnx" or not artifact.passes:
        return False
    return changes.pass_named(artifact.passes[-1].name).leaves_pairs


def before_last_pass(artifact: Artifact, model: Model) -> Artifact | None:
    """The same artifact without its last pass: what that pass was done on. None if not kept."""
    if not artifact.passes:
        return None
    kept = (model.artifact, *(one for one, _ in store.artifacts.of_model(model.id)))
    same = [
        one
        for one in kept
        if (one.format, one.passes) == (artifact.format, artifact.passes[:-1])
        and one.options == artifact.options
    ]
    direct = [one for one in same if _done(one) == _done(artifact)[:-1]]
    return next(iter((*direct, *same)), None)


def before_pruning(artifact: Artifact, model: Model) -> Artifact:
    """What an artifact is held against: the model, or what the last pruning made of it.

    Two prunings with equal passes differ where they learned from different data: what this
    artifact was made from has the beginning of its lineage, the pruning being that one's end.
    """
    pruned = [
        place
        for place, change in enumerate(artifact.passes, 1)
        if not changes.pass_named(change.name).precision
    ]
    if not pruned:
        return model.artifact
    passes, lineage = artifact.passes[: pruned[-1]], _done(artifact)
    kept = [one for one, _ in store.artifacts.of_model(model.id) if one.passes == passes]
    direct = [one for one in kept if lineage[: len(one.lineage)] == _done(one)]
    return min(direct, key=lambda one: len(one.lineage), default=model.artifact)


def of_model(artifact_id: str, model_id: str) -> tuple[Artifact, Model]:
    """The artifact, or the original itself, with its model. Raises NotFound."""
    model = store.models.load(model_id)
    own = artifact_id == model.artifact.id
    return (model.artifact if own else store.artifacts.load(artifact_id)[0]), model


def _done(artifact: Artifact) -> list[tuple[Any, ...]]:
    """Its lineage without what differs from run to run."""
    return [(step.verb, step.tool, step.version, step.options) for step in artifact.lineage]
