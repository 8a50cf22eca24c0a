"""What may be chosen about an ONNX file."""

from __future__ import annotations

from dataclasses import dataclass

from engine.options import choice


@dataclass(frozen=True, slots=True)
class OnnxOptions:
    """What may be chosen about an ONNX file."""

    opset: int = choice(
        20,
        "ONNX opset",
        "The version of ONNX's operator set. 20 is read by every current runtime.",
        low=18,
        high=24,
    )
