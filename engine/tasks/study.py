"""One process of a study, which says itself what is done in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine import processor
from engine.bench import studies
from engine.jobs.protocol import Context


def run(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """What the study's own ``observe`` gives for the variant in the request."""
    if request["pinned"]:
        processor.pin(request["threads"])
    context.progress(request["label"])
    return studies.module(request["study"]).observe(request, context)
