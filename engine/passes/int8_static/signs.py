"""Signed or unsigned: which integers stand for activations and weights, and why."""

from __future__ import annotations

from dataclasses import dataclass

from engine import processor

_TENSORRT = ("tensorrt", "tensorrt_plan")


@dataclass(frozen=True, slots=True)
class Signs:
    """``name`` is said as people say it: activations, then weights. ``why`` is one sentence.

    ``signed`` is of the activations (weights always are), ``symmetric`` puts their zero at 0,
    ``reduced`` keeps weights to 7 bits. ``inputs_only``: no pairs on what comes out of a layer.
    """

    name: str
    why: str
    signed: bool = False
    symmetric: bool = False
    reduced: bool = False
    inputs_only: bool = False


def signs_for(asked: str, target: str) -> Signs:
    """The signs that were asked for; for ``auto`` those that suit where it will run."""
    if target in _TENSORRT:
        return Signs(
            "S8S8",
            "S8S8, symmetric, pairs on what goes into convolutions and products: what TensorRT "
            "takes, whatever was asked for.",
            signed=True,
            symmetric=True,
            inputs_only=True,
        )
    if asked == "auto":
        return _suited()
    return {
        "u8s8": Signs("U8S8", "U8S8, as asked for."),
        "u8s7": Signs(
            "U8S8, 7-bit weights", "U8S8, weights in 7 bits, as asked for.", reduced=True
        ),
        "s8s8": Signs("S8S8", "S8S8, symmetric, as asked for.", signed=True, symmetric=True),
    }[asked]


def _suited() -> Signs:
    """By what this processor has."""
    fast, here = processor.int8_products(), processor.name()
    if processor.is_arm():
        why = f"S8S8, for ARM multiplies signed integers by signed ones ({here})."
        return Signs("S8S8", why, signed=True, symmetric=True)
    if fast:
        return Signs(
            "U8S8", f"U8S8, for this processor has {fast}, which adds them up exactly ({here})."
        )
    return Signs(
        "U8S8, 7-bit weights",
        f"U8S8 with weights in 7 bits, for this processor ({here}) has no VNNI: its products of "
        "8 bits overflow 16-bit sums.",
        reduced=True,
    )
