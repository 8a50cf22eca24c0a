"""Few questions, the least answer, and names that an option's text can hold."""

from __future__ import annotations

import pytest

from engine.tuning.model import Goal, LayerError
from engine.tuning.search import candidates, exclusion, fewest


@pytest.mark.parametrize("most", [1, 2, 3, 7, 54])
def test_the_least_number_that_meets_is_found_whatever_it_is(most: int) -> None:
    for answer in range(1, most + 1):
        asked: list[int] = []

        def meets(many: int, answer: int = answer, asked: list[int] = asked) -> bool:
            asked.append(many)
            return many >= answer

        assert fewest(most, meets) == answer
        assert len(asked) == len(set(asked)) <= 2 * answer.bit_length() + 1
        assert all(1 <= many <= most for many in asked)


def test_a_goal_out_of_reach_has_no_answer() -> None:
    assert fewest(5, lambda many: False) is None


def layer(name: str, operator: str = "Conv") -> LayerError:
    return LayerError(name, operator, "", 1, 30.0, 30.0)


def test_one_heavy_layer_at_least_is_left_to_quantize() -> None:
    order = [layer("a"), layer("b", "Add"), layer("c"), layer("d", "Mul")]
    assert [one.node for one in candidates(order)] == ["a", "b"]
    assert candidates([layer("d", "Mul")]) == []


def test_what_hands_values_on_is_not_worth_a_try() -> None:
    order = [layer("a", "Reshape"), layer("b"), layer("c", "MaxPool"), layer("d")]
    assert [one.node for one in candidates(order)] == ["b"]


def test_names_are_written_as_the_option_reads_them() -> None:
    assert exclusion([layer("node_1"), layer("While/body:0,1+2")]) == "node_1;While/body*0*1*2"


@pytest.mark.parametrize(
    ("goal", "met", "missed"),
    [
        (Goal("accuracy", 1.0), 0.5, 1.5),
        (Goal("agreement", 99.0), 99.5, 98.0),
        (Goal("sqnr", 30.0), 31.0, 29.0),
    ],
)
def test_accuracy_is_lost_and_the_others_are_kept(goal: Goal, met: float, missed: float) -> None:
    assert goal.met_by(met) and not goal.met_by(missed)
    assert not goal.met_by(None)
