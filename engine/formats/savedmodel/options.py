"""What a person may choose about a SavedModel."""

from __future__ import annotations

from dataclasses import dataclass

from engine.options import choice


@dataclass(frozen=True, slots=True)
class SavedModelOptions:
    """A second signature that takes pictures as bytes and gives the best classes."""

    pictures: str = choice(
        "no",
        "Take pictures too",
        "Adds the signature 'pictures': JPEG or PNG bytes in, the best classes and their scores "
        "out. Choose how the model was fed in training.",
        values={
            "no": "No: tensors only",
            "imagenet": "ImageNet: from 0 to 1, then ImageNet's mean and deviation taken off",
            "unit": "From 0 to 1",
            "symmetric": "From -1 to 1",
            "raw": "From 0 to 255, as they are",
        },
    )
    fit: str = choice(
        "crop",
        "Pictures of another size",
        values={
            "crop": "Shrink the shorter side, cut out the middle (7/8 of it)",
            "stretch": "Stretch to the model's size",
        },
    )
    scores: str = choice(
        "softmax",
        "Scores",
        values={"softmax": "Softmax of what the model gives", "given": "What the model gives"},
    )
    top: int = choice(5, "Best classes to give", low=1, high=1000)
    labels: str = choice(
        "", "Labels", "The names of the classes in their order, separated by |. Optional."
    )

    @property
    def variant(self) -> str:
        """What tells the result from the plain one: ``"with pictures (imagenet)"``."""
        return "" if self.pictures == "no" else f"with pictures ({self.pictures})"
