"""Data that comes with Assay: nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from engine.data.checks import sample_shape
from engine.data.model import Part
from engine.data.source import Sample, Source
from engine.errors import NotFound
from engine.types import Artifact, Signature
from engine.verify.language import is_language_model


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
        "text",
        "Assay's own text",
        "Lessons and stories, 32 kB. The Llama sample is made from it, so that its figures on this "
        "text flatter it; verification reads another.",
        is_language_model,
    ),
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


def source_of(name: str, model: Artifact) -> Source:
    """The samples of a data set of ours, for this model. Raises NotFound."""
    builtin_named(name)
    return _digits(model.signature) if name == "digits" else _text(model)


def _text(model: Artifact) -> Source:
    from engine.data import texts

    return texts.source(texts.own_pieces(), "text", model)


def _digits(signature: Signature) -> Source:
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
