"""Bring data for a model: checked, split and kept, to calibrate on and to judge by."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from engine import store
from engine.data.builtin import builtin_named
from engine.data.model import Dataset
from engine.data.prepare import Prepared
from engine.files import hash_path, publish, size_of
from engine.jobs import evidence
from engine.jobs.protocol import Limits, Steps, Task
from engine.pipeline.requests import DataRequest
from engine.records import dump, fingerprint, parse
from engine.settings import settings
from engine.sources import locate


def prepare_data(steps: Steps, request: DataRequest) -> dict[str, Any]:
    """Make data ready for a model. Gives ``{"data_id": …, "model_id": …}``."""
    model = store.models.runnable(request.model_id)
    source, name = located(request)
    label = f"Read {name}"
    steps.plan((label,))
    result = steps.run(
        Task(
            "prepare",
            label,
            {
                "artifact": dump(model.artifact),
                "origin": request.origin,
                "source": source,
                "name": name,
                "recipe": dict(request.recipe),
            },
            Limits(wall_s=1800, stall_s=300),
        )
    )
    made = parse(Prepared, result["data"])
    written = evidence.made(steps.out(result), result["path"])
    sha256 = hash_path(written)
    data_id = fingerprint("data", model.id, made.name, sha256)
    home = settings().data_sets_dir / data_id
    publish(written, home)
    data = Dataset(
        **{item.name: getattr(made, item.name) for item in fields(Prepared)},
        id=data_id,
        model_id=model.id,
        sha256=sha256,
        size_bytes=size_of(home),
        path=home,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    store.data.save(data)
    return {"data_id": data.id, "model_id": model.id}


def located(request: DataRequest) -> tuple[str, str]:
    """(what the worker opens, the name a person knows it by). Raises NotFound, UploadError."""
    if request.origin == "builtin":
        return builtin_named(request.source).name, builtin_named(request.source).label
    source, name, _ = locate(request.origin, request.source, None)
    return source, name
