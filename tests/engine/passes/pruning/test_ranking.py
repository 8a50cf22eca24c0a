"""Which units go, and which layers are meant."""

from __future__ import annotations

import re

import numpy as np
import pytest

from engine.errors import BadRequest
from engine.passes.pruning.layers import shares
from engine.passes.pruning.ranking import Ranked, least

LAYERS = ["stem.0", "stages.0.conv", "stages.1.conv", "head"]


def ranked(name: str, scores: list[float], share: float = 0.5, **more: int) -> Ranked:
    return Ranked(name, np.array(scores), more.pop("first", len(scores)), share, **more)


def test_each_layer_loses_its_least_important_units() -> None:
    layers = [ranked("a", [3, 1, 2, 4]), ranked("b", [30, 10, 20, 40], 0.25)]
    assert least(layers) == {"a": [1, 2], "b": [1]}


def test_ranked_as_one_the_layers_of_little_importance_lose_more_and_none_is_emptied() -> None:
    weak, strong = [float(i) for i in range(10)], [float(100 + i) for i in range(10)]
    layers = [ranked("weak", weak, 0.6), ranked("strong", strong, 0.6)]
    gone = least(layers, together=True)
    assert gone["weak"] == list(range(9))
    assert gone["strong"] == [0, 1, 2]


def test_a_layer_that_is_kept_loses_nothing_however_it_is_ranked() -> None:
    layers = [ranked("a", [1, 2, 3, 4], 0.0), ranked("b", [10, 20, 30, 40])]
    assert least(layers, together=True) == least(layers) == {"b": [0, 1]}


def test_what_is_left_is_a_multiple_where_the_layer_is_wide_enough() -> None:
    wide, narrow = [float(i) for i in range(32)], [float(i) for i in range(10)]
    gone = least([ranked("wide", wide, 0.3), ranked("narrow", narrow, 0.3)], multiple=8)
    assert len(gone["wide"]) == 8
    assert len(gone["narrow"]) == 3


def test_parts_of_a_grouped_convolution_count_as_channels() -> None:
    scores = [float(i) for i in range(16)]
    assert len(least([ranked("a", scores, 0.3, parts=2)], multiple=8)["a"]) == 4


def test_steps_add_up_to_the_share_of_the_layer_as_it_was() -> None:
    assert least([ranked("a", [1, 2, 3, 4, 5, 6, 7, 8])], 0.5) == {"a": [0, 1]}
    assert least([ranked("a", [3, 4, 5, 6, 7, 8], first=8)], 1.0) == {"a": [0, 1]}


@pytest.mark.parametrize("steps", [1, 3, 5, 10])
@pytest.mark.parametrize(("multiple", "most"), [(1, 0), (4, 6)])
def test_however_many_steps_all_layers_as_one_lose_what_was_asked(
    steps: int, multiple: int, most: int
) -> None:
    """60 of 200; with groups of four, at most the rest of a group a layer is left."""
    draw = np.random.default_rng(0)
    left = {"weak": draw.uniform(0, 1, 100), "strong": draw.uniform(0.6, 2, 100)}
    for step in range(1, steps + 1):
        layers = [Ranked(name, scores, 100, 0.3) for name, scores in left.items()]
        gone = least(layers, step / steps, multiple=multiple, together=True)
        # what is left is trained between steps, so that it is ranked anew
        left = {
            name: np.delete(scores, gone.get(name, [])) * draw.uniform(0.8, 1.2)
            for name, scores in left.items()
        }
    removed = 200 - sum(len(scores) for scores in left.values())
    assert 60 - most <= removed <= 60


def test_a_name_stands_for_all_below_it_and_the_last_one_counts() -> None:
    found = shares("stages=0.1; *.conv=0.2;head=0", LAYERS, 0.5)
    assert found == {"stem.0": 0.5, "stages.0.conv": 0.2, "stages.1.conv": 0.2, "head": 0.0}
    assert shares("", LAYERS, 0.5) == dict.fromkeys(LAYERS, 0.5)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("stage.0=0.1", r"There is no layer 'stage\.0'.*Near it: stages\.0"),
        ("head=1", "'1' for the layer 'head' would empty the layer"),
        ("head=1.5", "would empty the layer"),
        ("head=-1", "is not a share"),
        ("head=much", "is not a share"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(asked: str, message: str) -> None:
    with pytest.raises(BadRequest) as refused:
        shares(asked, LAYERS, 0.5)
    assert re.search(message, str(refused.value))
