"""What may be chosen about calibrated INT8."""

from __future__ import annotations

from dataclasses import dataclass

from engine.layers import EXCLUDE_HELP
from engine.options import choice


@dataclass(frozen=True, slots=True)
class Int8StaticOptions:
    """How ranges are found, how integers are laid over them, and what is left in float."""

    method: str = choice(
        "minmax",
        "How ranges are found",
        "From the values that the calibration samples give between the layers.",
        values={
            "minmax": "MinMax: the whole range that was seen",
            "entropy": "Entropy: cut where least is lost (Kullback-Leibler)",
            "percentile": "Percentile: without the rarest values at both ends",
        },
        many=True,
    )
    percentile: float = choice(
        99.99,
        "Percentile kept",
        "For the method percentile: so many of 100 values stay inside the range.",
        low=50.0,
        high=100.0,
    )
    per_channel: bool = choice(
        True,
        "A scale for every channel of the weights",
        "Closer to the original, at nearly the same speed.",
    )
    signs: str = choice(
        "auto",
        "Signs of the integers",
        "Activations, then weights. Automatic takes what is exact and fast where it will run: by "
        "this processor, and symmetric for TensorRT.",
        values={
            "auto": "automatic",
            "u8s8": "U8S8: unsigned activations, signed weights",
            "u8s7": "U8S8 with weights in 7 bits, for processors without VNNI",
            "s8s8": "S8S8: both signed, symmetric",
        },
    )
    exclude: str = choice(
        "",
        "Layers left in float",
        EXCLUDE_HELP,
    )
    samples: int = choice(
        128,
        "Calibration samples",
        "At most so many are read. 100 and more are recommended.",
        low=1,
        high=100_000,
    )
