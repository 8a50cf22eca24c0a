"""One timed block of one variant, in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine import processor
from engine.bench.measure import time_block
from engine.bench.model import Preset
from engine.bench.subject import subject_of
from engine.jobs.protocol import Context
from engine.records import dump, parse


def run(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """``{"block": Block}`` for the variant in the request."""
    preset = parse(Preset, request["preset"])
    if request["pinned"]:
        processor.pin(request["threads"])
    context.progress(f"Round {request['round'] + 1}: {request['label']}")
    block = time_block(subject_of(request), preset, request["round"])
    return {"block": dump(block)}
