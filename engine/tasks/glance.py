"""How long one run of an artifact takes, at a glance: enough for a point on a chart."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from engine import registry
from engine.jobs.protocol import Context
from engine.records import parse
from engine.tuning.pace import repeated
from engine.types import Artifact, RunnerOptions
from engine.verify.inputs import feed

_SEED = 20


def run(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """The median at batch one with so many ``threads``; gives ``{"milliseconds": …}``."""
    artifact = parse(Artifact, request["artifact"])
    given = feed(artifact.signature, "random", 1, _SEED)
    context.progress("Running it for two seconds", 0.1)
    with registry.open_runner(artifact, RunnerOptions(request["threads"])) as runner:
        seconds = repeated(lambda: runner.infer(given))
    return {"milliseconds": 1e3 * statistics.median(seconds)}
