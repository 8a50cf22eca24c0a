"""ResNet, with the weight names transformers gives it: a checkpoint of either loads in the other.

Written out here because importing transformers takes seconds and 200 MB, in every worker that
runs the original. That both compute the same, bit for bit, is a test.
"""

from __future__ import annotations

from typing import Any

from engine.architecture import Architecture, Config
from engine.types import Signature, TensorSpec

_WIDTHS = (256, 512, 1024, 2048)


def _conv(inputs: int, outputs: int, kernel: int, stride: int, *, active: bool) -> Any:
    """Convolution, normalisation and, if ``active``, ReLU, under transformers' names."""
    from torch import nn

    layer = nn.Sequential()
    padding = kernel // 2
    layer.add_module("convolution", nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False))
    layer.add_module("normalization", nn.BatchNorm2d(outputs))
    if active:
        layer.add_module("activation", nn.ReLU())
    return layer


def _residual(inputs: int, outputs: int, stride: int, *, bottleneck: bool) -> Any:
    """One residual layer: ``activation(layer(x) + shortcut(x))``."""
    from torch import Tensor, nn

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            inner = outputs // 4
            self.shortcut: nn.Module = nn.Identity()
            if inputs != outputs or stride != 1:
                self.shortcut = _conv(inputs, outputs, 1, stride, active=False)
            self.layer = (
                nn.Sequential(
                    _conv(inputs, inner, 1, 1, active=True),
                    _conv(inner, inner, 3, stride, active=True),
                    _conv(inner, outputs, 1, 1, active=False),
                )
                if bottleneck
                else nn.Sequential(
                    _conv(inputs, outputs, 3, stride, active=True),
                    _conv(outputs, outputs, 3, 1, active=False),
                )
            )
            self.activation = nn.ReLU()

        def forward(self, image: Tensor) -> Tensor:
            answer: Tensor = self.activation(self.layer(image) + self.shortcut(image))
            return answer

    return Residual()


def _named(**children: Any) -> Any:
    from torch import nn

    module = nn.Sequential()
    for name, child in children.items():
        module.add_module(name, child)
    return module


def _build(config: Config) -> Any:
    """The classifier; ``config`` holds depths, widths, bottleneck and classes."""
    from torch import nn

    bottleneck = bool(config["bottleneck"])
    widths, depths = tuple(config["widths"]), tuple(config["depths"])
    stages = nn.Sequential()
    inputs = 64
    for index, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        first = _residual(inputs, width, 1 if index == 0 else 2, bottleneck=bottleneck)
        rest = (_residual(width, width, 1, bottleneck=bottleneck) for _ in range(depth - 1))
        stages.append(_named(layers=nn.Sequential(first, *rest)))
        inputs = width
    stem = _named(embedder=_conv(3, 64, 7, 2, active=True), pooler=nn.MaxPool2d(3, 2, padding=1))
    body = _named(embedder=stem, encoder=_named(stages=stages), pooler=nn.AdaptiveAvgPool2d(1))
    head = nn.Sequential(nn.Flatten(), nn.Linear(inputs, int(config["classes"])))
    return _named(resnet=body, classifier=head)


def _signature(config: Config) -> Signature:
    size = int(config["image_size"])
    return Signature(
        inputs=(TensorSpec("pixel_values", "float32", ("batch", 3, size, size)),),
        outputs=(TensorSpec("logits", "float32", ("batch", int(config["classes"]))),),
    )


def _architecture(depth: int, depths: tuple[int, ...], *, bottleneck: bool) -> Architecture:
    widths = _WIDTHS if bottleneck else (64, 128, 256, 512)
    return Architecture(
        name=f"resnet{depth}",
        label=f"ResNet-{depth}",
        build=_build,
        signature=_signature,
        default_config={
            "depths": list(depths),
            "widths": list(widths),
            "bottleneck": bottleneck,
            "classes": 1000,
            "image_size": 224,
        },
    )


ARCHITECTURES = (
    _architecture(18, (2, 2, 2, 2), bottleneck=False),
    _architecture(34, (3, 4, 6, 3), bottleneck=False),
    _architecture(50, (3, 4, 6, 3), bottleneck=True),
    _architecture(101, (3, 4, 23, 3), bottleneck=True),
)
