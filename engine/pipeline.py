"""The jobs, each an ordered set of tasks: bring a model, convert it, try it, measure it.

The same functions run in the host (each task a durable step) and in the shell (each task at
once); ``Steps`` is the difference. Nothing here imports a framework: tasks do, in their workers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

from engine import registry, store
from engine.bench import session
from engine.bench.model import Variant
from engine.bench.plan import make_plan
from engine.errors import BadRequest, EngineError, NoRoute, TaskCancelled
from engine.files import hash_path, publish, size_of
from engine.jobs.evidence import plain
from engine.jobs.protocol import LONGEST_TEXT, TEXT, Limits, Steps, Task
from engine.knowledge import reach_from
from engine.records import dump, fingerprint, parse
from engine.reports.assemble import make_report
from engine.reports.model import Advice
from engine.settings import settings
from engine.sources import locate
from engine.types import Artifact, Model, Sampling, Signature, SignatureOrigin, Step, Target
from engine.verify.model import Thresholds, Verification

BATCHES = (1, 2, 3, 7)
SEED = 20240


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """A model to bring in: a sample by name, an upload by id, or a path under the models folder.

    ``architecture`` names what a bare state_dict belongs to; ``config_upload`` is the upload id
    (or path, for ``path`` imports) of a transformers ``config.json`` instead.
    """

    origin: Literal["sample", "upload", "path"]
    source: str
    architecture: str | None = None
    config_upload: str | None = None
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class ConvertRequest:
    """Formats to make from a model, and how to judge them.

    ``wait``: where this machine lacks what a target needs, the job waits for a host that has it.
    """

    model_id: str
    targets: tuple[Target, ...]
    wait: bool = False
    thresholds: Thresholds = field(default_factory=Thresholds)


@dataclass(frozen=True, slots=True)
class MeasureRequest:
    """Artifacts to weigh against their original."""

    model_id: str
    artifact_ids: tuple[str, ...]
    preset: str = "quick"
    batches: tuple[int, ...] = (1,)
    threads: int | None = None
    advice: Advice | None = None
    failures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TryRequest:
    """A prompt for an artifact that writes text, or for the original itself."""

    LONGEST_PROMPT: ClassVar[int] = 8_000
    MOST_TOKENS: ClassVar[int] = 1_024
    HIGHEST_TEMPERATURE: ClassVar[float] = 2.0

    model_id: str
    artifact_id: str
    prompt: str
    most: int = 128
    temperature: float = 0.7
    seed: int = 0


def import_model(steps: Steps, request: ImportRequest) -> dict[str, Any]:
    """Recognise a model and keep it. Gives ``{"model_id": …}``."""
    source, name, config = locate(request.origin, request.source, request.config_upload)
    steps.plan((f"Recognise {name}",))
    result = steps.run(
        Task(
            "identify",
            f"Recognise {name}",
            {
                "origin": request.origin,
                "source": source,
                "name": name,
                "architecture": request.architecture,
                "config": config,
                "signature": dump(request.signature) if request.signature else None,
            },
            Limits(wall_s=900, stall_s=300),
        )
    )
    model = _keep_model(steps.out(result), result["model"])
    return {"model_id": model.id}


def convert(steps: Steps, request: ConvertRequest) -> dict[str, Any]:
    """Convert and verify. One target's failure does not stop the others: it is in ``failures``.

    Gives ``{"artifacts": [id, …], "failures": {key of the target: sentence}}``.
    """
    model = store.models.load(request.model_id)
    labels = [registry.label_of(target) for target in request.targets]
    steps.plan(
        (
            *(f"Convert to {label}" for label in labels),
            "Run the original",
            *(f"Verify {label}" for label in labels),
        )
    )
    made: dict[str, Artifact] = {}
    known: dict[tuple[str, str], Artifact] = {}
    failures: dict[str, str] = {}
    for target in request.targets:
        with _collected(failures, target.key):
            made[target.key] = _convert_one(steps, model, target, known)
        steps.publish({"artifacts": [a.id for a in made.values()], "failures": failures})
    if made:
        reference = _reference(steps, model)
        for key, artifact in made.items():
            with _collected(failures, key):
                _verify_one(steps, artifact, reference, request.thresholds)
            steps.publish({"artifacts": [a.id for a in made.values()], "failures": failures})
    return {"artifacts": [a.id for a in made.values()], "failures": failures}


def measure(steps: Steps, request: MeasureRequest) -> dict[str, Any]:
    """Measure verified artifacts beside their original. Gives ``{"report_id": …}``."""
    model = store.models.load(request.model_id)
    artifacts = {model.artifact.id: model.artifact}
    verifications: dict[str, Verification] = {}
    for artifact_id in request.artifact_ids:
        artifact, verification = store.artifacts.load(artifact_id)
        if verification is None or not verification.verdict.usable:
            raise BadRequest(
                f"{_label(artifact)} has not passed verification.",
                hint="Only verified artifacts are measured: convert it again, or leave it out.",
            )
        artifacts[artifact.id] = artifact
        verifications[artifact.id] = verification
    variants = _variants(model, tuple(artifacts.values()), request)
    plan = make_plan(variants, request.preset, seed=SEED)
    measurement = session.run(steps, plan, artifacts, model.artifact.signature)
    report = make_report(
        report_id=fingerprint("report", steps.job_id),
        model=model,
        artifacts=tuple(artifacts.values()),
        verifications=verifications,
        failures=request.failures,
        measurement=measurement,
        advice=request.advice,
        preset=request.preset,
    )
    store.reports.save(report)
    return {"report_id": report.id}


def try_out(steps: Steps, request: TryRequest) -> dict[str, Any]:
    """Let an artifact go on from a prompt. Gives its text and how fast it came."""
    artifact = artifact_to_try(request)
    asked = {"artifact_id": artifact.id, "prompt": request.prompt}
    steps.publish(asked)
    result = steps.run(
        Task(
            "generate",
            f"Write with {_label(artifact)}",
            {
                "artifact": dump(artifact),
                "prompt": request.prompt,
                "most": request.most,
                "sampling": dump(Sampling(request.temperature, seed=request.seed)),
                "threads": len(os.sched_getaffinity(0)),
            },
        )
    )
    figures = ("tokens", "prompt_tokens", "most", "first_s", "tokens_per_s")
    text = plain(str(result["text"]), LONGEST_TEXT, keep="\n\t")
    return {**asked, TEXT: text, **{name: result[name] for name in figures}}


def artifact_to_try(request: TryRequest) -> Artifact:
    """The artifact of a request that can be tried out. Raises NotFound, BadRequest."""
    model = store.models.load(request.model_id)
    own = request.artifact_id == model.artifact.id
    artifact = model.artifact if own else store.artifacts.load(request.artifact_id)[0]
    spec = registry.format_named(artifact.format)
    if not spec.writes_text:
        raise BadRequest(f"{spec.label} is not run as a writer of text.", hint="Convert to GGUF.")
    length = len(request.prompt) if request.prompt.strip() else 0
    for what, value, low, high in (
        ("The prompt has {:,} characters", length, 1, request.LONGEST_PROMPT),
        ("{:,} tokens are asked for", request.most, 1, request.MOST_TOKENS),
        ("The temperature is {:g}", request.temperature, 0, request.HIGHEST_TEMPERATURE),
    ):
        if not low <= value <= high:
            raise BadRequest(
                f"{what.format(value)}; it can be {low:,} to {high:,g}.", hint="Change it."
            )
    return artifact


def _keep_model(out: Path, found: dict[str, Any]) -> Model:
    """Move what the worker recognised to its place, and remember it."""
    original = out / found["path"]
    sha256 = hash_path(original)
    signature = parse(Signature, found["signature"])
    model_id = fingerprint("model", sha256, found["name"], signature)
    home = settings().models_store / model_id
    publish(original.parent, home)
    artifact = Artifact(
        id=fingerprint("original", model_id),
        format=found["format"],
        path=home / original.name,
        sha256=sha256,
        size_bytes=size_of(home / original.name),
        signature=signature,
        lineage=tuple(parse(Step, step) for step in found["lineage"]),
        variant=found["variant"],
    )
    origin: SignatureOrigin = found["signature_origin"]
    model = Model(
        id=model_id,
        name=found["name"],
        kind=found["kind"],
        artifact=artifact,
        signature_origin=origin,
        parameters=found["parameters"],
        op_histogram=found["op_histogram"],
        facts=found["facts"],
        reach=reach_from(artifact),
        notes=tuple(found["notes"]),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    store.models.save(model)
    return model


def _convert_one(
    steps: Steps, model: Model, target: Target, known: dict[tuple[str, str], Artifact]
) -> Artifact:
    """Follow the route edge by edge; each edge is a task, each stop an artifact.

    ``known`` remembers the stops of this job, so that two targets share their way.
    """
    artifact = model.artifact
    route = _route(artifact, target)
    for index, (_, stop) in enumerate(route):
        asked = target if index == len(route) - 1 else Target(stop)
        where = (artifact.id, asked.key)
        if where not in known:
            known[where] = _one_edge(steps, model, artifact, asked)
        artifact = known[where]
    return artifact


def _route(artifact: Artifact, target: Target) -> tuple[tuple[str, str], ...]:
    """The way to a target. Raises NoRoute with the reason that the Model page gives."""
    try:
        return registry.route(artifact.format, target.format, artifact)
    except NoRoute as error:
        known = {reach.format: reach.reason for reach in reach_from(artifact)}
        why = known.get(target.format, error.message)
        raise NoRoute(why, hint=error.hint) from error


def _one_edge(steps: Steps, model: Model, source: Artifact, asked: Target) -> Artifact:
    """One converter, in its own process; what it made is moved to its place."""
    result = steps.run(
        Task(
            "convert",
            f"Convert to {registry.label_of(asked)}",
            {
                "artifact": dump(source),
                "source": source.format,
                "target": asked.format,
                "options": dict(asked.options),
            },
        )
    )
    made = steps.out(result) / result["path"]
    sha256 = hash_path(made)
    artifact_id = fingerprint("artifact", model.id, asked.format, sha256)
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
        variant=result["variant"],
        options=asked.options,
    )
    store.artifacts.save(artifact, model.id)
    return artifact


def _label(artifact: Artifact) -> str:
    return registry.format_named(artifact.format).named(artifact)


def _reference(steps: Steps, model: Model) -> Path:
    """Run the original on every verification input; gives the folder of arrays."""
    result = steps.run(
        Task(
            "reference",
            "Run the original",
            {"artifact": dump(model.artifact), "seed": SEED, "batches": list(BATCHES)},
        )
    )
    return steps.out(result)


def _verify_one(
    steps: Steps, artifact: Artifact, reference: Path, thresholds: Thresholds
) -> Verification:
    """Judge one artifact, and keep the judgement with it."""
    result = steps.run(
        Task(
            "verify",
            f"Verify {_label(artifact)}",
            {
                "artifact": dump(artifact),
                "reference": str(reference),
                "thresholds": dump(thresholds),
                "seed": SEED,
            },
        )
    )
    verification = parse(Verification, result["verification"])
    store.artifacts.save_verification(verification)
    return verification


def _variants(
    model: Model, artifacts: tuple[Artifact, ...], request: MeasureRequest
) -> tuple[Variant, ...]:
    """Every artifact at every batch size, at one thread count for all.

    A model of a fixed batch is measured at that one, whatever was asked.
    """
    threads = request.threads or len(os.sched_getaffinity(0))
    batches = _batches(model.artifact.signature, request.batches)
    return tuple(
        Variant(
            key=f"{artifact.format}-b{batch}-t{threads}-{artifact.id[:6]}",
            artifact_id=artifact.id,
            format=artifact.format,
            label=registry.format_named(artifact.format).runs(artifact),
            batch=batch,
            threads=threads,
            is_original=artifact.id == model.artifact.id,
        )
        for batch in batches
        for artifact in artifacts
    )


def _batches(signature: Signature, asked: tuple[int, ...]) -> tuple[int, ...]:
    """The batch sizes that the signature allows."""
    if signature.batch_symbol is not None:
        return asked
    first = next((spec.shape[0] for spec in signature.inputs if spec.shape), 1)
    return (first,) if isinstance(first, int) else asked


@contextmanager
def _collected(failures: dict[str, str], key: str) -> Iterator[None]:
    """Let one target fail alone; a cancelled job still ends the whole."""
    try:
        yield
    except TaskCancelled:
        raise
    except EngineError as error:
        failures[key] = str(error)
