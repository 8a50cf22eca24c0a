"""How important a weight is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from engine.lazy import require

Score = Callable[[Any], Any]
"""The importance of every value of a weight, in its shape."""
Importance = Literal["l1", "l2", "taylor"]


def score_by(importance: Importance) -> Score:
    """Size, its square, or what the loss would change by (to first order) were it zero."""
    if importance == "taylor":
        return lambda weight: (weight * weight.grad).abs().detach()
    power = 1 if importance == "l1" else 2
    return lambda weight: weight.detach().abs() ** power


def group_score(importance: Importance) -> Any:
    """torch-pruning's importance of each channel of a group of layers that share channels."""
    pruning = require("torch_pruning", "torch-pruning")
    if importance == "taylor":
        return pruning.importance.GroupTaylorImportance()
    return pruning.importance.GroupMagnitudeImportance(p=1 if importance == "l1" else 2)
