"""How a pruning goes: in steps, with training after each, and accuracy before and after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.changes import Progress
from engine.passes.pruning.labelled import Labelled, tune
from engine.passes.pruning.options import Training


def in_steps(
    prune: Callable[[float], None],
    whole: Any,
    data: Labelled | None,
    options: Training,
    progress: Progress,
) -> tuple[str, ...]:
    """``prune(part)`` for every step, ``part`` growing to 1; gives what is to be noted."""
    notes: tuple[str, ...] = ()
    right = [("before", data.accuracy(whole))] if data else []
    for step in range(1, options.steps + 1):
        progress(f"Pruning, step {step} of {options.steps}", 0.1 + 0.8 * (step - 1) / options.steps)
        prune(step / options.steps)
        if data and step == options.steps:
            right.append(("pruned", data.accuracy(whole)))
        if data and options.epochs:
            notes += (tune(whole, data, options, progress),)
    if data and options.epochs:
        right.append(("fine-tuned", data.accuracy(whole)))
    if data:
        notes += (_right(len(data.held_out), right, stopped=bool(options.epochs)),)
    return notes


def _right(held_out: int, right: list[tuple[str, float]], *, stopped: bool) -> str:
    """Accuracy as it went, and why it is not the figure to quote."""
    held = "fine-tuning, which they also stopped" if stopped else "the pruning"
    said = ", ".join(f"{100 * share:.1f} % {when}" for when, share in right)
    return (
        f"Right on {held_out:,} samples held out of {held}: {said}. The model itself may have "
        "learned from them: for a figure without that bias, see its accuracy on the evaluation "
        "samples."
    )
