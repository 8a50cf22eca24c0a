"""From what a job made to the report that is kept."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from engine import __version__
from engine.architectures import architecture_named
from engine.bench.model import Measurement
from engine.knowledge import advice_for
from engine.quality.model import Quality
from engine.registry import format_named
from engine.reports.model import (
    SCHEMA_VERSION,
    Advice,
    Report,
    ReportArtifact,
    without_paths,
)
from engine.samples import SAMPLES
from engine.types import Artifact, Model, TensorSpec
from engine.verify.model import Verification

_BARE_WEIGHTS = ("state_dict", "safetensors")


def make_report(
    *,
    report_id: str,
    model: Model,
    artifacts: tuple[Artifact, ...],
    verifications: Mapping[str, Verification],
    qualities: Mapping[str, tuple[Quality, ...]],
    failures: Mapping[str, str],
    measurement: Measurement,
    advice: Advice | None,
    preset: str,
) -> Report:
    """The report of one measurement. Without advice, what follows from model and machine is it."""
    made = tuple(_kept(artifact, model, verifications, qualities) for artifact in artifacts)
    return Report(
        schema_version=SCHEMA_VERSION,
        id=report_id,
        title=_title(model, made),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        assay_version=__version__,
        model=without_paths(model),
        artifacts=made,
        failures=dict(failures),
        measurement=measurement,
        advice=advice or advice_for(model),
        reproduce=_command(model, made, failures, measurement, preset),
    )


def _kept(
    artifact: Artifact,
    model: Model,
    verifications: Mapping[str, Verification],
    qualities: Mapping[str, tuple[Quality, ...]],
) -> ReportArtifact:
    return ReportArtifact(
        id=artifact.id,
        format=artifact.format,
        label=format_named(artifact.format).named(artifact),
        sha256=artifact.sha256,
        size_bytes=artifact.size_bytes,
        signature=artifact.signature,
        lineage=artifact.lineage,
        is_original=artifact.id == model.artifact.id,
        verification=verifications.get(artifact.id),
        variant=artifact.variant,
        options=artifact.options,
        passes=artifact.passes,
        quality=qualities.get(artifact.id, ()),
    )


def _title(model: Model, made: tuple[ReportArtifact, ...]) -> str:
    labels = [artifact.label for artifact in made if not artifact.is_original]
    return f"{model.name}: {', '.join(labels)}" if labels else model.name


def _command(
    model: Model,
    made: tuple[ReportArtifact, ...],
    failures: Mapping[str, str],
    measurement: Measurement,
    preset: str,
) -> str:
    """The line that repeats it. A brought model is named; where it lay is nobody's business."""
    asked = (*(artifact.target.key for artifact in made if not artifact.is_original), *failures)
    targets = ",".join(dict.fromkeys(asked)) or model.artifact.format
    variants = measurement.plan.variants
    data = next((name for artifact in made for name in _data(artifact)), None)
    line = ["python", "-m", "engine", "run", *_source(model), "--to", targets, "--preset", preset]
    line += ["--data", data] if data else []
    line += ["--batch", ",".join(str(b) for b in sorted({v.batch for v in variants}))]
    threads = {v.threads for v in variants}
    line += ["--threads", str(max(threads)), *(["--one-thread-too"] if len(threads) > 1 else [])]
    line += ["--also", ",".join(measurement.plan.studies)] if measurement.plan.studies else []
    own = measurement.plan.prompt_tokens
    line += ["--prompt-tokens", str(own)] if own else []
    line += ["--report", "out.json"]
    return shlex.join(line)


def _data(artifact: ReportArtifact) -> Iterator[str]:
    """The data it was judged by, and what its passes read of a person's."""
    yield from (found.data_name for found in artifact.quality)
    for step in artifact.lineage:
        if "data sha256" in step.options:
            yield str(step.options["data"])


def _source(model: Model) -> list[str]:
    for sample in SAMPLES:
        if model.kind == "sample" and sample.label == model.name:
            return ["--sample", sample.name]
    line = ["--model", model.name]
    architecture = model.facts.get("Architecture")
    if model.kind in _BARE_WEIGHTS and architecture:
        known = architecture_named(architecture)
        line += ["--architecture", "config.json" if known.needs_config else known.name]
    if model.signature_origin == "given":
        inputs = model.artifact.signature.inputs
        line += ["--signature", " ".join(_input(spec) for spec in inputs)]
    return line


def _input(spec: TensorSpec) -> str:
    return f"{spec.name}:{spec.dtype}[{','.join(str(dim) for dim in spec.shape)}]"
