"""What importing a framework alone costs in memory, in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.bench.measure import baseline
from engine.jobs.protocol import Context
from engine.registry import format_named


def run(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """``{"peak_bytes": …}`` of this process after the format's framework was imported."""
    spec = format_named(request["format"])
    context.progress(f"Memory of {spec.import_module} alone")
    return {"peak_bytes": baseline(spec.import_module)}
