"""A small model that decides by its data, with random weights."""

from __future__ import annotations

from pathlib import Path

from engine.architectures import spec_for
from engine.samples import eager
from engine.samples.model import Progress, Sample, SampleModel

SAMPLES = (
    Sample(
        "adaptive",
        "Adaptive",
        "A small model whose path depends on its data: tracing gets it wrong, scripting does not.",
        {"Weights": "random, from a fixed seed"},
    ),
)


def write(sample: Sample, out: Path, progress: Progress) -> SampleModel:
    """Write the torch folder."""
    spec = spec_for("adaptive")
    eager.save(eager.build(spec), spec, out, progress)
    return SampleModel(sample.facts, (eager.SEEDED,))
