"""What a person chooses about a pruning."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from engine.options import choice, choices
from engine.types import Scalar

_AMOUNT = (
    "0 would change nothing and 1 would leave nothing: a third is a start, more wants fine-tuning."
)
_LAYERS = (
    "Names as the model has them, with a share of their own, separated by ';', '*' standing for "
    "anything: encoder.stages.0=0.1;*.shortcut=0. 0 keeps a layer as it is; others take the share "
    "above."
)
_EPOCHS = "0 leaves it out. Needs labelled samples; ends early when they stop getting better."


class Training(Protocol):
    """How the model is trained afterwards, if at all: part of the options of every pruning."""

    @property
    def epochs(self) -> int: ...
    @property
    def rate(self) -> float: ...
    @property
    def steps(self) -> int: ...


def _epochs() -> Any:
    return choice(0, "Epochs of fine-tuning", _EPOCHS, low=0, high=200)


def _rate() -> Any:
    return choice(
        1e-3, "Learning rate", "How large the steps of fine-tuning are.", low=1e-7, high=1.0
    )


def _steps() -> Any:
    said = "The share is reached in so many steps, with fine-tuning after each."
    return choice(1, "Steps", said, low=1, high=20)


@dataclass(frozen=True, slots=True)
class PruneChannelsOptions:
    """Of channels and attention heads."""

    ratio: float = choice(0.3, "Share of channels removed", _AMOUNT, low=0.01, high=0.95)
    importance: Literal["l1", "l2", "taylor"] = choice(
        "l2",
        "What makes a channel important",
        values={
            "l1": "Sum of its weights' sizes (L1)",
            "l2": "Length of its weights (L2)",
            "taylor": "What the loss would change by without it (Taylor; needs labelled samples)",
        },
    )
    scope: Literal["layer", "global"] = choice(
        "layer",
        "Compared",
        values={
            "layer": "Within each layer: every layer loses the same share",
            "global": "Across the model: layers of little importance lose more, 90 % at most",
        },
    )
    multiple: int = choice(
        8,
        "Channels left, a multiple of",
        "Kernels work on 8 or 16 channels at once. Layers of fewer than twice as many are exact.",
        low=1,
        high=256,
    )
    heads: bool = choice(True, "Attention heads too", "As many of each layer as the share allows.")
    layers: str = choice("", "Layers with a share of their own", _LAYERS)
    epochs: int = _epochs()
    rate: float = _rate()
    steps: int = _steps()


@dataclass(frozen=True, slots=True)
class PruneWeightsOptions:
    """Of single weights."""

    amount: float = choice(0.5, "Share of weights set to zero", _AMOUNT, low=0.01, high=0.99)
    scope: Literal["layer", "global"] = choice(
        "layer",
        "Compared",
        values={
            "layer": "Within each layer: every layer gets the same share of zeros",
            "global": "Across the model: layers of small weights get more zeros",
        },
    )
    pattern: Literal["any", "2-4"] = choice(
        "any",
        "Where zeros may be",
        values={
            "any": "Anywhere: the smallest weights",
            "2-4": "Two of every four in a row (2:4): faster on NVIDIA GPUs from Ampere on only",
        },
    )
    layers: str = choice("", "Layers with a share of their own", _LAYERS)
    epochs: int = _epochs()
    rate: float = _rate()
    steps: int = _steps()


def asked(options: Any) -> dict[str, Scalar]:
    """The options that differ from the usual, for the lineage."""
    usual = {item.name: item.default for item in choices(type(options))}
    return {name: value for name, value in asdict(options).items() if value != usual[name]}
