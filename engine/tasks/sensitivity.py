"""How far every quantized node is from the same node in float."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.data.drawn import DrawnSamples
from engine.data.model import Dataset, Samples
from engine.data.stored import samples_of
from engine.jobs.protocol import Context
from engine.records import dump, parse
from engine.tuning import sensitivity
from engine.types import Artifact

ENOUGH = 8
"""So many samples: every value of every layer counts, and there are many in each."""
_SEED = 9_000
"""Other values than those a calibration without data draws."""


def run(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Compare with the ``baseline``, on data where there is some; gives ``{"sensitivity": …}``."""
    artifact = parse(Artifact, request["artifact"])
    samples = _samples(request["data"], artifact)
    with tempfile.TemporaryDirectory(dir=context.out) as scratch:
        found = sensitivity.measure(
            artifact,
            parse(Artifact, request["baseline"]),
            samples,
            ENOUGH,
            Path(scratch),
            context.progress,
        )
    return {"sensitivity": dump(found)}


def _samples(data: Any, artifact: Artifact) -> Samples:
    """The calibration part: layers are chosen by it, and what chooses does not judge."""
    if data is None:
        return DrawnSamples(artifact.signature, ENOUGH, _SEED)
    found = samples_of(parse(Dataset, data), "calibration", artifact.signature)
    return replace(found, name=f"the calibration part of {found.name}")
