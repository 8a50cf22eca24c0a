"""What a model is, found out in a process of its own: its bytes are a stranger's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.jobs.protocol import Context
from engine.records import dump, parse
from engine.sources import Recognised, Wanted, recognise
from engine.sources.detect import identify
from engine.sources.sample import make
from engine.types import Signature


def run(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """``{"model": {path, name, kind, …}}``; the original lies in ``out/original``."""
    context.out.mkdir(parents=True, exist_ok=True)
    if request["origin"] == "sample":
        made = make(request["source"], context.out, context.progress)
    else:
        context.progress("Looking at the bytes", 0.0)
        found = identify(Path(request["source"]), request["name"])
        made = recognise(found, _wanted(request), context.out, context.progress)
    return {"model": _as_json(made, context.out)}


def _wanted(request: Mapping[str, Any]) -> Wanted:
    signature, config = request.get("signature"), request.get("config")
    return Wanted(
        architecture=request.get("architecture"),
        config=Path(config) if config else None,
        signature=parse(Signature, signature) if signature else None,
    )


def _as_json(made: Recognised, out: Path) -> dict[str, Any]:
    return {
        "path": made.path.relative_to(out).as_posix(),
        "name": made.name,
        "kind": made.kind,
        "format": made.format,
        "signature": dump(made.signature),
        "signature_origin": made.signature_origin,
        "parameters": made.parameters,
        "op_histogram": dict(made.op_histogram),
        "facts": dict(made.facts),
        "notes": list(made.notes),
        "lineage": [dump(step) for step in made.lineage],
    }
