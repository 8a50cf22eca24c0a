"""One memory pass of one variant, in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.bench.subject import subject_of
from engine.bench.weighing import weigh
from engine.jobs.protocol import Context
from engine.records import dump, parse
from engine.types import Artifact


def run(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """``{"memory": MemoryPass}`` for the variant in the request."""
    context.progress(f"Memory of {request['label']}")
    artifact = parse(Artifact, request["artifact"])
    return {"memory": dump(weigh(subject_of(request, feeds=1), artifact))}
