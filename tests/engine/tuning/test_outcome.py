"""What is said of a search: on the samples that chose, and on those that did not."""

from __future__ import annotations

import pytest

from engine.tuning.model import Confirmation, Goal, Trial
from engine.tuning.outcome import elsewhere, found, missed

POINT = Goal("accuracy", 1.0)
PART = "the calibration part of digits"


def trial(many: int, value: float, *, met: bool) -> Trial:
    return Trial(("a layer",) * many, f"a{many}", 10**6, value, met, 1.0)


TRIALS = {0: trial(0, 2.0, met=False), 1: trial(1, 0.3, met=True)}


def confirmed(value: float, interval: tuple[float, float] | None) -> Confirmation:
    return Confirmation("360 images of digits", value, interval, POINT.met_by(value))


def test_what_chose_is_named() -> None:
    assert found(POINT, TRIALS, 1, PART) == (
        "With 1 layer left in float the goal is met on the calibration part of digits: 0.3 points "
        "of accuracy lost, where it was 2.0 points of accuracy lost. Found there in 2 tries."
    )


@pytest.mark.parametrize(
    ("value", "interval", "said"),
    [
        (0.2, (-0.3, 0.9), "lost [−0.3, 0.9 lost]. There it is met, too."),
        (0.2, (-1.0, 1.4), "There it is met, too, but its interval reaches beyond"),
        (1.3, (0.2, 2.4), "There the goal is missed: what was found suits the samples"),
        (0.2, None, "0.2 points of accuracy lost. There it is met, too."),
    ],
)
def test_the_other_part_has_the_last_word(
    value: float, interval: tuple[float, float] | None, said: str
) -> None:
    whole = elsewhere(POINT, confirmed(value, interval))
    assert whole.startswith("On 360 images of digits, which neither calibrated nor chose: ")
    assert said in whole


def test_where_no_exclusion_helps_the_order_is_said() -> None:
    said = missed(POINT, {0: TRIALS[0], 3: trial(3, 1.9, met=False)}, PART)
    assert said.startswith("Not even with 3 layers in float is the goal met on the calibration")
    assert "where noise only adds up from layer to layer, leaving the worst in float helps" in said
