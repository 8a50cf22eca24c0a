"""One edge of a route: a source artifact into a target file."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine import registry
from engine.jobs.protocol import Context
from engine.records import dump, parse
from engine.types import Artifact, ConvertOptions


def run(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Convert; gives ``{"path": relative to out, "signature", "step"}``."""
    artifact = parse(Artifact, request["artifact"])
    options = parse(ConvertOptions, request["options"])
    source, target = request["source"], request["target"]
    found, made = registry.format_named(source), registry.format_named(target)
    context.progress(f"Converting {found.label} to {made.label}", 0.05)
    folder = context.out / target
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"model{made.suffix}"
    started = time.perf_counter()
    conversion = registry.edge(source, target)(artifact, path, options)
    step = replace(conversion.step, seconds=round(time.perf_counter() - started, 3))
    context.progress(f"{made.label} written", 1.0)
    return {
        "path": path.relative_to(context.out).as_posix(),
        "signature": dump(conversion.signature),
        "step": dump(step),
    }
