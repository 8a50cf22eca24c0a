"""From a picture to what a model takes: resize, crop, scale, normalise, lay out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.data.checks import sample_shape
from engine.errors import BadRequest, UnsupportedModel
from engine.feeds import shaped
from engine.options import choice, read
from engine.types import Scalar, Signature, TensorSpec

AUTO = "auto"
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_ORDERS = {"rgb": "RGB", "bgr": "BGR", "gray": "gray"}
_MARGIN = 8 / 7
"""Pictures are resized to 8/7 of what is then cut from their middle: 256 for 224."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How pictures become samples. What is left alone follows from the model's signature."""

    resize: int = choice(
        0,
        "Shorter side, pixels",
        "Before the crop. 0: 8/7 of what the model takes (256 for 224); a picture of the very size "
        "is left as it is.",
        low=0,
        high=8192,
    )
    crop: int = choice(
        0,
        "Centre crop, pixels",
        "0: the size that the model takes. A size is only needed where the model takes any.",
        low=0,
        high=8192,
    )
    values: str = choice(
        AUTO,
        "Numbers",
        "How it was trained decides this: with other numbers the model sees noise.",
        values={
            AUTO: "As it fits the model",
            "imagenet": "ImageNet's mean and deviation",
            "unit": "0 to 1",
            "signed": "−1 to 1",
            "byte": "0 to 255",
        },
    )
    mean: str = choice("", "Mean by channel", "Of values from 0 to 1: 0.485 0.456 0.406.")
    std: str = choice("", "Deviation by channel", "Of values from 0 to 1: 0.229 0.224 0.225.")
    order: str = choice(
        AUTO,
        "Channels",
        values={
            AUTO: "As it fits the model",
            "rgb": "Red, green, blue",
            "bgr": "Blue, green, red (OpenCV)",
            "gray": "Gray",
        },
    )
    layout: str = choice(
        AUTO,
        "Layout",
        values={
            AUTO: "As the model's shape says",
            "nchw": "Channels first (NCHW)",
            "nhwc": "Channels last (NHWC)",
        },
    )


@dataclass(frozen=True, slots=True)
class Steps:
    """A recipe for one model, with nothing left open. ``size`` is (height, width)."""

    size: tuple[int, int]
    resize: int
    order: str
    first: bool
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def sentence(self) -> str:
        """What is done, in words."""
        height, width = self.size
        side = "to 8/7 of the crop where they were not of its size"
        if self.resize:
            side = f"to {self.resize} on the shorter side"
        parts = [f"resized {side}", f"centre crop {height} × {width}", _ORDERS[self.order]]
        parts.append(f"0 to {self.scale:g}")
        if any(self.mean) or any(value != 1 for value in self.std):
            parts.append(f"minus {_listed(self.mean)}, divided by {_listed(self.std)}")
        parts.append("channels first (NCHW)" if self.first else "channels last (NHWC)")
        return f"Pictures were {', '.join(parts)}."


def steps_for(given: Mapping[str, Scalar], signature: Signature) -> Steps:
    """The recipe as this model needs it. Raises BadRequest, UnsupportedModel."""
    recipe = read(Recipe, given, "The recipe")
    spec = _picture(signature)
    shape = sample_shape(spec, signature)
    first = _channels_first(shape, recipe.layout)
    channels, height, width = shape if first else (shape[2], shape[0], shape[1])
    order = recipe.order if recipe.order != AUTO else "gray" if channels == 1 else "rgb"
    wanted = 1 if order == "gray" else 3
    if isinstance(channels, int) and channels != wanted:
        raise BadRequest(
            f"The model takes {channels} channels; {_ORDERS[order]} has {wanted}.",
            hint="Choose other channels, or the other layout.",
        )
    size = _side(height, recipe.crop), _side(width, recipe.crop)
    if 0 < recipe.resize < min(size):
        raise BadRequest(
            f"From a shorter side of {recipe.resize} pixels nothing of {size[0]} × {size[1]} can "
            "be cut.",
            hint="Resize to at least the crop.",
        )
    scale, mean, std = _numbers(recipe, spec, wanted)
    return Steps(size, recipe.resize, order, first, scale, mean, std)


def takes_pictures(signature: Signature) -> bool:
    """Whether the model's one input could be a picture."""
    if len(signature.inputs) != 1:
        return False
    shape = sample_shape(signature.inputs[0], signature)
    return len(shape) == 3 and (shape[0] in (1, 3) or shape[2] in (1, 3))


def apply(picture: Any, steps: Steps) -> np.ndarray:
    """A Pillow image as one sample, float32, in the layout of the model."""
    from PIL.Image import Resampling

    turned = picture.convert("L" if steps.order == "gray" else "RGB")
    height, width = steps.size
    if turned.size != (width, height) or steps.resize:
        turned = turned.resize(_resized(turned.size, steps), Resampling.BILINEAR)
        left, top = (turned.width - width) // 2, (turned.height - height) // 2
        turned = turned.crop((left, top, left + width, top + height))
    values: np.ndarray = np.asarray(turned, np.float32).reshape(height, width, -1)
    if steps.order == "bgr":
        values = values[..., ::-1]
    values = values * np.float32(steps.scale / 255)
    values = (values - np.array(steps.mean, np.float32)) / np.array(steps.std, np.float32)
    return np.ascontiguousarray(values.transpose(2, 0, 1) if steps.first else values)


def _resized(size: tuple[int, int], steps: Steps) -> tuple[int, int]:
    """(width, height) after resizing: both at least the crop, their ratio kept."""
    height, width = steps.size
    if steps.resize:
        factor = steps.resize / min(size)
    else:
        factor = max(width * _MARGIN / size[0], height * _MARGIN / size[1])
    return max(width, round(size[0] * factor)), max(height, round(size[1] * factor))


def _picture(signature: Signature) -> TensorSpec:
    """The one input, where it is a picture."""
    spec = signature.inputs[0]
    if len(signature.inputs) != 1 or len(sample_shape(spec, signature)) != 3:
        found = ", ".join(f"{item.name!r} {shaped(item.shape)}" for item in signature.inputs)
        raise UnsupportedModel(
            f"The model takes {found}: that is no picture.",
            hint="Bring arrays instead: an .npz with one for every input.",
        )
    return spec


def _channels_first(shape: tuple[int | str, ...], layout: str) -> bool:
    if layout != AUTO:
        return layout == "nchw"
    return shape[0] in (1, 3) or shape[2] not in (1, 3)


def _side(dim: int | str, crop: int) -> int:
    """One side of the crop: the model's, else as it is said."""
    if isinstance(dim, int):
        if crop not in (0, dim):
            raise BadRequest(
                f"The model takes pictures of {dim} pixels a side; the crop is {crop}.",
                hint="Leave the crop at 0.",
            )
        return dim
    return crop or 224


def _numbers(
    recipe: Recipe, spec: TensorSpec, channels: int
) -> tuple[float, tuple[float, ...], tuple[float, ...]]:
    """(the largest value, mean, deviation) by channel."""
    values = recipe.values
    if values == AUTO:
        values = "imagenet" if channels == 3 and (spec.low, spec.high) != (0.0, 1.0) else "unit"
    scale = 255.0 if values == "byte" else 1.0
    nothing, one, half = (0.0,) * channels, (1.0,) * channels, (0.5,) * channels
    usual = {"imagenet": (_MEAN, _STD), "signed": (half, half)}.get(values, (nothing, one))
    mean = _by_channel(recipe.mean, channels, "mean") or usual[0]
    std = _by_channel(recipe.std, channels, "deviation") or usual[1]
    if len(mean) != channels or len(std) != channels:
        raise BadRequest(
            "ImageNet's mean and deviation are those of three channels.",
            hint="Give the mean and the deviation that the model was trained with.",
        )
    if not all(std):
        raise BadRequest("A deviation of 0 cannot be divided by.", hint="Give the deviation again.")
    if recipe.order == "bgr" and values == "imagenet":
        mean, std = mean[::-1], std[::-1]
    return scale, mean, std


def _by_channel(text: str, channels: int, what: str) -> tuple[float, ...]:
    """The numbers of a text, as many as there are channels; none where it is empty."""
    words = text.split()
    try:
        numbers = tuple(map(float, words))
    except ValueError as error:
        raise BadRequest(
            f"The {what} {text!r} is not made of numbers.", hint="Write 0.485 0.456 0.406."
        ) from error
    if (numbers and len(numbers) != channels) or not all(map(np.isfinite, numbers)):
        raise BadRequest(
            f"The {what} has {len(numbers)} numbers for {channels} channels.",
            hint="Give one finite number a channel, separated by spaces.",
        )
    return numbers


def _listed(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:g}" for value in values)
