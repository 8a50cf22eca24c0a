"""Samples held against the model's signature; what is wrong is named, sample by sample."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from engine.data.source import Sample
from engine.data.stored import has_batch
from engine.errors import BadRequest
from engine.feeds import shaped
from engine.types import Dim, Signature, TensorSpec

_NAMED = 5


@dataclass(slots=True)
class Checks:
    """What was found wrong so far: for each problem, the samples that have it."""

    signature: Signature
    classes: int | None = None
    found: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)

    def fitted(self, sample: Sample) -> list[np.ndarray]:
        """The arrays in the order of the inputs, in the model's own types.

        Raises BadRequest for what is wrong with every sample alike: their shape, their type.
        """
        sizes: dict[str, int] = {}
        arrays = []
        for spec in self.signature.inputs:
            array = sample.arrays[spec.name]
            _check_shape(array, spec, self.signature, sizes, sample.where)
            arrays.append(self._typed(array, spec, sample.where))
            self._look(arrays[-1], spec, sample.where)
        if self.classes is not None and sample.label is not None:
            self._look_at(sample.label, self.classes, sample.where)
        return arrays

    def close(self) -> None:
        """Raise BadRequest naming the samples that cannot be used, if there are any."""
        if not self.found:
            return
        said = []
        for (problem, _), where in self.found.items():
            more = f" and {len(where) - _NAMED:,} more" if len(where) > _NAMED else ""
            said.append(f"{problem}: {', '.join(where[:_NAMED])}{more}")
        hints = dict.fromkeys(hint for _, hint in self.found)
        raise BadRequest(f"{'; '.join(said)}.", hint=" ".join(hints))

    def _typed(self, array: np.ndarray, spec: TensorSpec, where: str) -> np.ndarray:
        """The same numbers in the model's type, where none is lost on the way."""
        wanted = np.dtype(spec.dtype)
        if array.dtype == wanted:
            return array
        both = array.dtype.kind + wanted.kind
        if both not in ("ff", "ii", "uu", "iu", "ui", "cc", "fc"):
            raise BadRequest(
                f"The samples for {spec.name!r} are {array.dtype}; the model takes {spec.dtype}.",
                hint=_type_hint(array, spec),
            )
        self.notes[f"{spec.name}: {array.dtype} turned into {spec.dtype}."] = None
        made = array.astype(wanted)
        if wanted.kind in "iu" and not np.array_equal(made, array):
            self._name("Numbers that do not fit " + spec.dtype, "Clip or renumber them.", where)
        return made

    def _look(self, array: np.ndarray, spec: TensorSpec, where: str) -> None:
        if array.dtype.kind in "fc" and not np.isfinite(array).all():
            self._name(
                f"NaN or infinite values in {spec.name!r}",
                "Leave these samples out, or fill the gaps.",
                where,
            )
        elif array.size and _outside(array, spec):
            low, high = spec.low, spec.high
            self._name(
                f"Values of {spec.name!r} outside {low:g} to {high:g}"
                if low is not None and high is not None
                else f"Values of {spec.name!r} out of range",
                "Bring them in the range that the model was made for.",
                where,
            )

    def _look_at(self, label: int, classes: int, where: str) -> None:
        if not 0 <= label < classes:
            self._name(
                f"Labels outside 0 to {classes - 1}",
                f"The model tells {classes} classes apart; a label is the index of one.",
                where,
            )

    def _name(self, problem: str, hint: str, where: str) -> None:
        self.found.setdefault((problem, hint), []).append(where)


def sample_shape(spec: TensorSpec, signature: Signature) -> tuple[Dim, ...]:
    """The shape of one sample of this input: without the axis that counts samples."""
    return spec.shape[1:] if has_batch(spec, signature) else spec.shape


def _check_shape(
    array: np.ndarray, spec: TensorSpec, signature: Signature, sizes: dict[str, int], where: str
) -> None:
    wanted = sample_shape(spec, signature)
    if _fits(array.shape, wanted, sizes):
        return
    raise BadRequest(
        f"{where[:1].upper()}{where[1:]} has the shape {shaped(array.shape)}; one sample for "
        f"{spec.name!r} has {shaped(wanted)}.",
        hint=_shape_hint(array.shape, wanted),
    )


def _fits(shape: tuple[int, ...], wanted: tuple[Dim, ...], sizes: dict[str, int]) -> bool:
    return len(shape) == len(wanted) and all(
        size == (sizes.setdefault(dim, size) if isinstance(dim, str) else dim)
        for size, dim in zip(shape, wanted, strict=True)
    )


def _shape_hint(shape: tuple[int, ...], wanted: tuple[Dim, ...]) -> str:
    """What to do about it, where the usual mistake is recognised."""
    if len(shape) == 3 and _fits((shape[2], shape[0], shape[1]), wanted, {}):
        return (
            "They are laid out height × width × channels (NHWC); the model takes channels first "
            "(NCHW): samples.transpose(0, 3, 1, 2)."
        )
    if len(shape) == 3 and _fits((shape[1], shape[2], shape[0]), wanted, {}):
        return (
            "They are laid out channels × height × width (NCHW); the model takes channels last "
            "(NHWC): samples.transpose(0, 2, 3, 1)."
        )
    if len(shape) == len(wanted) - 1 and _fits((1, *shape), wanted, {}):
        return "One axis of size 1 is missing: samples[:, None]."
    return "The first axis of an array counts the samples; the others are one sample as it is fed."


def _type_hint(array: np.ndarray, spec: TensorSpec) -> str:
    if array.dtype == np.uint8:
        return (
            "They look like raw pixels: scale them as in training and save them as "
            f"{spec.dtype}, or bring a zip of the images with a recipe."
        )
    return f"Save them with samples.astype({spec.dtype!r})."


def _outside(array: np.ndarray, spec: TensorSpec) -> bool:
    """Whether values lie where the model has no meaning for them; ``high`` itself is no token."""
    below = spec.low is not None and bool(array.min() < spec.low)
    if spec.high is None:
        return below
    whole = array.dtype.kind in "iu"
    return below or bool(array.max() >= spec.high if whole else array.max() > spec.high)
