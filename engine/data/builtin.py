"""Data that comes with Assay: nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from engine.data.checks import sample_shape
from engine.data.model import Part
from engine.data.source import Sample, Source
from engine.errors import NotFound
from engine.types import Signature


@dataclass(frozen=True, slots=True)
class Builtin:
    """A data set of ours: what it is, in words, and which models it is for."""

    name: str
    label: str
    sentence: str
    fits: Callable[[Signature], bool]


def _is_digits(signature: Signature) -> bool:
    if len(signature.inputs) != 1:
        return False
    spec = signature.inputs[0]
    return spec.dtype == "float32" and sample_shape(spec, signature) == (1, 8, 8)


BUILTINS = (
    Builtin(
        "digits",
        "Digits",
        "scikit-learn's 1,797 handwritten digits with their labels. Those the digits sample was "
        "trained on calibrate; the 360 it has never seen judge.",
        _is_digits,
    ),
)


def builtins(signature: Signature) -> tuple[Builtin, ...]:
    """The data of ours that a model of this signature can read."""
    return tuple(one for one in BUILTINS if one.fits(signature))


def builtin_named(name: str) -> Builtin:
    """The data set of that name. Raises NotFound naming those there are."""
    for one in BUILTINS:
        if one.name == name:
            return one
    known = ", ".join(one.name for one in BUILTINS)
    raise NotFound(f"There is no data {name!r} built in.", hint=f"Built in: {known}.")


def digits(signature: Signature) -> Source:
    """The images as the sample was trained on them, [1, 8, 8] from 0 to 1."""
    from sklearn.datasets import load_digits

    from engine.samples.digits import division

    data = load_digits()
    train, _ = division(len(data.target))
    seen = set(train.tolist())

    def samples() -> Iterator[Sample]:
        for index, (image, label) in enumerate(zip(data.images, data.target, strict=True)):
            part: Part = "calibration" if index in seen else "evaluation"
            array = (image[None] / 16).astype(np.float32)
            yield Sample({signature.inputs[0].name: array}, f"image {index}", int(label), part)

    return Source("images", "digits", samples(), len(data.target), tuple("0123456789"))
