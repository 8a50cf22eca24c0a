"""ResNet-50 with random weights: real in speed and size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.architectures import spec_for
from engine.samples import eager
from engine.samples.model import Progress, Sample, SampleModel

SAMPLES = (
    Sample(
        "resnet50",
        "ResNet-50",
        "The image classifier of the reference tables. Seeded, untrained weights: its speed and "
        "size are real, its answers mean nothing.",
        {"Weights": "random, from a fixed seed", "Parameters": "25.6 million"},
    ),
)


def write(sample: Sample, out: Path, progress: Progress) -> SampleModel:
    """Write the torch folder."""
    spec = spec_for("resnet50")
    module = eager.build(spec)
    _settle(module)
    eager.save(module, spec, out, progress)
    return SampleModel(sample.facts, (eager.SEEDED,))


def _settle(module: Any) -> None:
    """Let the normalisation layers see data once, so that answers differ between images."""
    import torch

    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None
    module.train()
    with torch.no_grad():
        module(torch.randn(4, 3, 224, 224))
