"""A sheet of the first images as the model sees them: after resizing, cropping and scaling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engine.data.channels import channel_axis
from engine.data.stored import THUMBNAILS
from engine.files import disk_errors
from engine.types import Signature

MOST = 8
_SIDE, _GAP = 128, 4


@dataclass(slots=True)
class Sheet:
    """Collects the first few samples of the first input that is an image."""

    signature: Signature
    images: list[np.ndarray] = field(default_factory=list)

    def add(self, arrays: Sequence[np.ndarray]) -> None:
        """One sample more; only the first ones are looked at."""
        if len(self.images) == MOST:
            return
        for array in arrays:
            axis = channel_axis(array.shape)
            if axis is not None and array.dtype.kind in "fu":
                self.images.append(np.moveaxis(array, axis, 2))
                return

    def write(self, out: Path) -> None:
        """``seen.png`` into the folder ``out``; nothing where there were no images.

        Every channel is stretched from its least to its largest value over all of them: numbers
        after normalisation are no colours.
        """
        if not self.images:
            return
        from PIL import Image

        low = np.min([image.min((0, 1)) for image in self.images], 0)
        high = np.max([image.max((0, 1)) for image in self.images], 0)
        span = np.where(high > low, high - low, 1)
        cells = [_cell((image - low) / span) for image in self.images]
        with disk_errors():
            Image.fromarray(np.concatenate(cells, 1)).save(out / THUMBNAILS)


def _cell(image: np.ndarray) -> np.ndarray:
    """One image of [height, width, channels] in 0 to 1, as a square of colours."""
    colours = image[..., :3] if image.shape[2] >= 3 else image[..., :1].repeat(3, 2)
    height, width = colours.shape[:2]
    rows = np.arange(_SIDE) * height // _SIDE
    columns = np.arange(_SIDE) * width // _SIDE
    square = (colours[rows][:, columns] * 255).astype(np.uint8)
    return np.pad(square, ((0, 0), (0, _GAP), (0, 0)), constant_values=255)
