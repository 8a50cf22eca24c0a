"""Why an artifact is as fast as it is."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.jobs.protocol import Context
from engine.records import dump, parse
from engine.tuning import machine
from engine.tuning.explaining import explain
from engine.tuning.model import Machine
from engine.types import Artifact


def run(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Profile it, beside the ``baseline`` where there is one; gives ``{"explanation": …}``.

    What the ``machine`` reaches at most is measured, too; what it reached before counts as well.
    """
    baseline, known = request["baseline"], request["machine"]
    context.progress("Multiplying matrices and copying memory: what this machine can do", 0.02)
    here = machine.measure(request["threads"])
    if known is not None:
        here = here.best(parse(Machine, known))
    with tempfile.TemporaryDirectory(dir=context.out) as scratch:
        found = explain(
            parse(Artifact, request["artifact"]),
            None if baseline is None else parse(Artifact, baseline),
            here,
            Path(scratch),
            context.progress,
        )
    return {"explanation": dump(found)}
