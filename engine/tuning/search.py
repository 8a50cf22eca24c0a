"""How many of the worst layers must stay in float: found with few tries, each a real artifact."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.onnxfile import HEAVY
from engine.tuning.model import LayerError

FORBIDDEN = ":,+;"
"""What would be read as something else in the text of an option; a ``*`` stands for it."""


def fewest(most: int, meets: Callable[[int], bool]) -> int | None:
    """The least number from 1 to ``most`` that meets; None where not even ``most`` does.

    More are taken to meet wherever fewer do. Asks 1, 2, 4 … and then halves what lies between, so
    that a small answer is found with small questions; never asks the same twice.
    """
    low, high = 0, 1
    while not meets(min(high, most)):
        if high >= most:
            return None
        low, high = high, 2 * high
    high = min(high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if meets(middle) else (middle, high)
    return high


HANDING_ON = frozenset(
    (
        *("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Concat", "Split", "Slice"),
        *("Gather", "Expand", "Identity", "MaxPool", "Pad"),
    )
)
"""Operators that give values as they got them: in float or not, the values are the same."""


def candidates(worst_first: Sequence[LayerError]) -> Sequence[LayerError]:
    """Those that may be left in float, worst first: all before the heavy one that loses least."""
    those = [one for one in worst_first if one.operator not in HANDING_ON]
    heavy = [place for place, one in enumerate(those) if one.operator in HEAVY]
    return those[: heavy[-1]] if heavy else []


def exclusion(layers: Sequence[LayerError]) -> str:
    """These layers as the option ``exclude`` takes them."""
    return ";".join(written(one.node) for one in layers)


def written(node: str) -> str:
    """A node's name as an option's text may hold it."""
    return "".join("*" if letter in FORBIDDEN else letter for letter in node)
