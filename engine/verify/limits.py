"""By which limits an artifact is judged: what each precision can be expected to keep."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.types import Signature, TensorSpec
from engine.verify.model import Thresholds

_LIMITS = {
    limits.precision: limits
    for limits in (
        Thresholds(),
        Thresholds("float16", equivalent_relative=5e-3, degraded_top1=0.9),
        Thresholds("bfloat16", equivalent_relative=4e-2, degraded_relative=0.3, degraded_top1=0.6),
        Thresholds("int8", equivalent_relative=2e-2, degraded_relative=0.5, degraded_top1=0.4),
        Thresholds(
            "int8 calibrated",
            equivalent_relative=2e-2,
            degraded_relative=0.5,
            degraded_top1=0.4,
            leave_out=("large", "zeros"),
        ),
        Thresholds("int4", equivalent_relative=5e-2, degraded_relative=0.8, degraded_top1=0.3),
    )
}
"""A value stored in p bits of mantissa is off by up to 2^-p of itself; through a deep net such
errors add up to a few times that in what comes out. ``equivalent_relative`` is that size: 5 times
2^-10 for float16, 2^-8 for bfloat16, and for 8 and 4 bits what a good calibration reaches (34 and
26 dB). ``degraded`` is where an answer may still be of use; whether it is, accuracy on labelled
samples says, and nothing else: the top answer to random values is decided by a hair (in an
untrained ResNet-50 the best leads the second by a tenth of the logits' size; 15 dB, what 8 bits
leave after 50 layers, turn half of these answers, and mean nothing). A calibrated model clips what
lies outside the ranges it was shown: large values do, and so do what layers make of nothing but
zeros, a hundred times what they make of data in that net."""


def limits_for(precision: str, asked: Thresholds, on: Signature | None = None) -> Thresholds:
    """The limits of a precision; those that were asked for, where they differ from the usual.

    ``on`` is the signature where real samples are there to judge on as well: what is calibrated on
    such is then not held to random numbers that nobody would feed it.
    """
    usual = asked == Thresholds()
    limits = _LIMITS[precision] if usual and precision in _LIMITS else asked
    if on is None or not limits.leave_out or not any(map(_boundless, on.inputs)):
        return limits
    return replace(limits, leave_out=(*limits.leave_out, "random"))


def _boundless(spec: TensorSpec) -> bool:
    """Whether nothing says which values of this input make sense."""
    floating = np.issubdtype(np.dtype(spec.dtype), np.floating)
    return bool(floating) and (spec.low is None or spec.high is None)
