"""A small convolutional net for 8 × 8 digits."""

from __future__ import annotations

from typing import Any

from engine.architecture import Architecture, Config
from engine.types import Signature, TensorSpec


def _build(config: Config) -> Any:
    from torch import nn

    width = int(config["width"])
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * width, 10),
    )


def _signature(config: Config) -> Signature:
    return Signature(
        inputs=(TensorSpec("image", "float32", ("batch", 1, 8, 8), low=0.0, high=1.0),),
        outputs=(TensorSpec("logits", "float32", ("batch", 10)),),
    )


ARCHITECTURES = (
    Architecture("digits", "Digits: a small convolutional net", _build, _signature, {"width": 16}),
)
