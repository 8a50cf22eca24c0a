"""A model that looks at its data before it decides what to do: the case tracing cannot hold."""

from __future__ import annotations

from typing import Any

from engine.architecture import Architecture, Config
from engine.types import Signature, TensorSpec


def _build(config: Config) -> Any:
    import torch
    from torch import Tensor, nn

    class Adaptive(nn.Module):
        """Refines until the batch has settled, then answers by one of two heads."""

        def __init__(self, features: int, classes: int) -> None:
            super().__init__()
            self.refine = nn.Linear(features, features)
            self.calm = nn.Linear(features, classes)
            self.lively = nn.Linear(features, classes)

        def forward(self, features: Tensor) -> Tensor:
            rounds = 0
            while rounds < 8 and bool(features.abs().max() > 1.0):
                features = torch.tanh(self.refine(features)) * 0.9
                rounds += 1
            if bool(features.mean() > 0):
                answer: Tensor = self.lively(features)
            else:
                answer = self.calm(features)
            return answer

    return Adaptive(int(config["features"]), int(config["classes"]))


def _signature(config: Config) -> Signature:
    return Signature(
        inputs=(TensorSpec("features", "float32", ("batch", int(config["features"]))),),
        outputs=(TensorSpec("logits", "float32", ("batch", int(config["classes"]))),),
    )


ARCHITECTURES = (
    Architecture(
        "adaptive",
        "Adaptive: its path depends on its data",
        _build,
        _signature,
        {"features": 32, "classes": 10},
    ),
)
