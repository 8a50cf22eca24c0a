"""Bring a model: recognised in a worker, then kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine import access, store
from engine.files import hash_path, publish, size_of
from engine.jobs import evidence
from engine.jobs.protocol import Limits, Steps, Task
from engine.knowledge import reach_from
from engine.pipeline.requests import ImportRequest
from engine.records import dump, fingerprint, parse
from engine.settings import settings
from engine.sources import locate
from engine.types import Artifact, Model, Signature, Step

_SAID = (
    "name",
    "kind",
    "signature_origin",
    "parameters",
    "op_histogram",
    "facts",
    "notes",
    "barred",
)
"""What a model is by the word of the worker that recognised it."""


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


def _keep_model(out: Path, found: dict[str, Any]) -> Model:
    """Move what the worker recognised to its place, and remember it."""
    original = evidence.made(out, found["path"])
    sha256 = hash_path(original)
    signature = parse(Signature, found["signature"])
    model_id = fingerprint("model", sha256, found["name"], signature, *access.own())
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
    model = parse(  # a worker's word: what is no model is refused, and not read again
        Model,
        {
            "id": model_id,
            "artifact": dump(artifact),
            "reach": dump(() if found["barred"] else reach_from(artifact)),
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            **{name: found[name] for name in _SAID},
        },
    )
    store.models.save(model)
    return model
