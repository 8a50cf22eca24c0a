"""What may be chosen about INT8 dynamic."""

from __future__ import annotations

from dataclasses import dataclass

from engine.layers import EXCLUDE_HELP
from engine.options import choice


@dataclass(frozen=True, slots=True)
class Int8DynamicOptions:
    """Of weights; what goes in is always scaled as a whole, as it comes."""

    per_channel: bool = choice(
        False,
        "A scale for every channel",
        "Closer to the original, and a little slower on some processors.",
    )
    conv: bool = choice(
        False,
        "Convolutions, too",
        "Smaller, and mostly slower than in float: for convolutional nets take INT8 calibrated. "
        "ONNX only.",
    )
    exclude: str = choice("", "Layers left in float", f"{EXCLUDE_HELP} ONNX only.")
