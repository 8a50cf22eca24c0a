"""What came of a search, in words: on the samples that chose, and on those that did not."""

from __future__ import annotations

from collections.abc import Mapping

from engine.tuning.model import Confirmation, Goal, Trial


def missed(goal: Goal, trials: Mapping[int, Trial], on: str) -> str:
    """Where not even the most layers in float reach the goal: what was tried, and why."""
    most = max(trials)
    if not most:
        return (
            f"The goal is missed on {on}: {goal.said(trials[0].value)}. No layer loses anything by "
            "itself that could be left in float beside one that is quantized."
        )
    return (
        f"Not even with {_layers(most)} in float is the goal met on {on}: "
        f"{goal.said(trials[most].value)} after {_tries(trials)}. Layers are left in float in the "
        "order of what each loses by itself: where noise only adds up from layer to layer, leaving "
        "the worst in float helps little. Look at the calibration data, or take FP16."
    )


def found(goal: Goal, trials: Mapping[int, Trial], many: int, on: str) -> str:
    """Where the goal is met on the samples that chose."""
    first, value = goal.said(trials[0].value), goal.said(trials[many].value)
    if many == 0:
        return f"The goal is met as it is on {on}: {first}."
    return (
        f"With {_layers(many)} left in float the goal is met on {on}: {value}, where it was "
        f"{first}. Found there in {_tries(trials)}."
    )


def elsewhere(goal: Goal, confirmed: Confirmation) -> str:
    """The figure that counts, and whether the goal is met by it, too."""
    bounds = goal.bounds_said(confirmed.interval)
    said = (
        f"On {confirmed.on}, which neither calibrated nor chose: "
        f"{goal.said(confirmed.value)}{bounds}"
    )
    if not confirmed.met:
        return (
            f"{said}. There the goal is missed: what was found suits the samples it was found on. "
            "Ask for a stricter limit, or bring more data."
        )
    if not all(map(goal.met_by, confirmed.interval or ())):
        return f"{said}. There it is met, too, but its interval reaches beyond: more data can tell."
    return f"{said}. There it is met, too."


def _layers(many: int) -> str:
    return "1 layer" if many == 1 else f"{many} layers"


def _tries(trials: Mapping[int, Trial]) -> str:
    return "1 try" if len(trials) == 1 else f"{len(trials)} tries"
