"""Feeds carried from the original to what was made from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.errors import BadRequest
from engine.feeds import under_names
from engine.types import Signature, TensorSpec
from engine.verify import cases

TOKENS, MASK = np.array([[1, 2, 3]]), np.ones((1, 3), np.int64)
GIVEN = {"input_ids": TOKENS, "attention_mask": MASK}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["input_ids"], [TOKENS]),
        (["attention_mask", "input_ids"], [MASK, TOKENS]),
        (["x", "y"], [TOKENS, MASK]),
        (["input_ids", "mask"], [TOKENS, MASK]),
    ],
    ids=["one left out", "other order", "renamed", "one renamed"],
)
def test_inputs_go_by_name_where_they_can(names: list[str], expected: list[np.ndarray]) -> None:
    found = under_names(GIVEN, names)
    assert list(found) == names
    assert all(found[name] is array for name, array in zip(names, expected, strict=True))


def test_an_input_nobody_gave_is_refused() -> None:
    with pytest.raises(BadRequest, match="'attention_mask', 'input_ids', this artifact 'tokens'"):
        under_names(GIVEN, ["tokens"])


def test_cases_reach_a_candidate_that_takes_fewer_inputs(tmp_path: Path) -> None:
    tokens: tuple[int | str, ...] = ("batch", "sequence")
    mask = TensorSpec("attention_mask", "int64", tokens, low=1, high=2)
    ids = TensorSpec("input_ids", "int64", tokens, low=0, high=9)
    original, candidate = Signature((mask, ids)), Signature((ids,))
    plan = cases.plans(original, [2])[0]
    given = cases.feed_for(plan, original, 1)
    outputs = {"logits": np.ones((2, 16), np.float32)}
    rows = cases.Rows(original, lambda feed: {"logits": np.ones((1, 16), np.float32)})
    cases.save(tmp_path, [(cases.reference_case(plan, given, outputs, rows), given, outputs)])
    ((_, feed, _),) = cases.load(tmp_path, candidate)
    assert list(feed) == ["input_ids"]
    np.testing.assert_array_equal(feed["input_ids"], given["input_ids"])
