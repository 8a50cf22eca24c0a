"""Measure: verified artifacts beside their original."""

from __future__ import annotations

from typing import Any

from engine import processor, registry, store
from engine.bench import session, studies, verdicts
from engine.bench.environment import host_id
from engine.bench.model import Measurement, NoiseFloor, Variant
from engine.bench.plan import make_plan
from engine.errors import BadRequest
from engine.jobs.protocol import Steps
from engine.pipeline.requests import MeasureRequest
from engine.pipeline.seed import SEED
from engine.records import fingerprint
from engine.reports.assemble import make_report
from engine.store.findings import FLOOR
from engine.types import Artifact, Model, Signature
from engine.verify.model import Verification

LARGEST_FLOOR = 0.25
"""A machine that shakes a model's median by more than this is not to be measured on."""


def measure(steps: Steps, request: MeasureRequest) -> dict[str, Any]:
    """Measure verified artifacts beside their original. Gives ``{"report_id": …}``."""
    model = store.models.runnable(request.model_id)
    artifacts = {model.artifact.id: model.artifact}
    verifications: dict[str, Verification] = {}
    for artifact_id in request.artifact_ids:
        artifact, verification = store.artifacts.load(artifact_id)
        if verification is None or not verification.verdict.usable:
            raise BadRequest(
                f"{registry.named(artifact)} has not passed verification.",
                hint="Only verified artifacts are measured: convert it again, or leave it out.",
            )
        artifacts[artifact.id] = artifact
        verifications[artifact.id] = verification
    variants = _variants(model, tuple(artifacts.values()), request)
    plan = make_plan(
        variants,
        request.preset,
        seed=SEED,
        studies=studies.checked(request.studies),
        prompt_tokens=request.prompt_tokens,
    )
    here = host_id()
    floor = store.findings.load(here, FLOOR, NoiseFloor)
    measurement = session.run(steps, plan, artifacts, model.artifact.signature, floor)
    _keep_floor(measurement, here)
    report = make_report(
        report_id=fingerprint("report", steps.job_id),
        model=model,
        artifacts=tuple(artifacts.values()),
        verifications=verifications,
        qualities={id_: store.artifacts.quality_of(id_) for id_ in request.artifact_ids},
        failures=request.failures,
        measurement=measurement,
        advice=request.advice,
        preset=request.preset,
    )
    store.reports.save(report)
    return {"report_id": report.id}


def _keep_floor(measurement: Measurement, host: str) -> None:
    """What the control of this measurement says of the host, for those to come.

    Not where it says more of the model: one whose pace jumps would spoil everybody's verdicts.
    """
    own = verdicts.control_ratio(measurement.plan, measurement.blocks)
    if own is not None:
        share = verdicts.floor_share(own)
        found = NoiseFloor(share, own.rounds, host, measurement.started_at)
        if share <= LARGEST_FLOOR:
            store.findings.save(host, FLOOR, found)


def _variants(
    model: Model, artifacts: tuple[Artifact, ...], request: MeasureRequest
) -> tuple[Variant, ...]:
    """Every artifact at every batch size, at the same thread counts for all.

    A model of a fixed batch is measured at that one, whatever was asked. One thread is pinned to
    one CPU; so are several where some are left for others.
    """
    most = request.threads or processor.worker_threads()
    counts = (1, most) if request.one_thread_too and most > 1 else (most,)
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
            pinned=threads < processor.cores(),
        )
        for batch in batches
        for threads in counts
        for artifact in artifacts
    )


def _batches(signature: Signature, asked: tuple[int, ...]) -> tuple[int, ...]:
    """The batch sizes that the signature allows."""
    if signature.batch_symbol is not None:
        return asked
    first = next((spec.shape[0] for spec in signature.inputs if spec.shape), 1)
    return (first,) if isinstance(first, int) else asked
