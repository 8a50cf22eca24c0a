"""The handwritten digits with their classes, and a net trained on some of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from engine.architectures import folder
from engine.samples import digits
from engine.types import Artifact, Feed
from tests import models


class DigitImages:
    """scikit-learn's digits, the first ``count`` of them, as a person's labelled samples."""

    name = "digits"
    origin: Literal["given", "random"] = "given"

    def __init__(self, count: int = 1797, labels: bool = True) -> None:
        from sklearn.datasets import load_digits

        data = load_digits()
        self._images = (data.images[:count, None] / 16).astype(np.float32)
        self._classes = data.target[:count].astype(np.int64) if labels else None
        self.count = count

    def feeds(self) -> Iterator[Feed]:
        for image in self._images:
            yield {"image": image[None]}

    def labels(self) -> np.ndarray | None:
        return self._classes

    def texts(self) -> Iterator[str]:
        return iter(())


def trained(path: Path) -> Artifact:
    """The digits sample: trained in seconds, right on about 98 % of unseen images."""
    digits.write(digits.SAMPLES[0], path, lambda *_: None)
    return models.artifact("torch", path, folder.read_signature(path))
