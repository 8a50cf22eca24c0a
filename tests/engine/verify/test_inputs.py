"""Inputs of a verification: in range, bound, and the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import InvalidModel
from engine.feeds import with_outputs
from engine.types import Signature, TensorSpec
from engine.verify.inputs import feed, hash_of

SIGNATURE = Signature(
    (
        TensorSpec("tokens", "int64", ("batch", "sequence"), low=5, high=99),
        TensorSpec("image", "float32", ("batch", 1, 8, 8), low=0.0, high=1.0),
        TensorSpec("free", "float32", ("batch", 4)),
        TensorSpec("on", "bool", (3,)),
    )
)


@pytest.mark.parametrize("kind", ["random", "zeros", "large"])
def test_shapes_types_and_ranges(kind: str) -> None:
    found = feed(SIGNATURE, kind, 3, 0)
    assert {name: (array.shape, str(array.dtype)) for name, array in found.items()} == {
        "tokens": ((3, 16), "int64"),
        "image": ((3, 1, 8, 8), "float32"),
        "free": ((3, 4), "float32"),
        "on": ((3,), "bool"),
    }
    assert found["tokens"].min() >= 5
    assert found["tokens"].max() < 99
    assert 0 <= found["image"].min() <= found["image"].max() <= 1


def test_rows_of_a_small_batch_are_those_of_a_large_one() -> None:
    small, large = feed(SIGNATURE, "random", 2, 0), feed(SIGNATURE, "random", 5, 0)
    np.testing.assert_array_equal(small["image"], large["image"][:2])
    np.testing.assert_array_equal(small["tokens"], large["tokens"][:2])


def test_seed_and_kind_name_the_values() -> None:
    def of(kind: str, seed: int) -> str:
        return hash_of(feed(SIGNATURE, kind, 2, seed))

    assert of("random", 1) == of("random", 1)
    assert len({of("random", 1), of("random", 2), of("large", 1), of("zeros", 1)}) == 4


def test_an_input_has_a_stream_of_its_own() -> None:
    alone = feed(Signature(SIGNATURE.inputs[2:3]), "random", 2, 0)
    np.testing.assert_array_equal(alone["free"], feed(SIGNATURE, "random", 2, 0)["free"])


def test_sizes_of_other_symbols() -> None:
    assert feed(SIGNATURE, "random", 2, 0, sizes={"sequence": 7})["tokens"].shape == (2, 7)


def test_outputs_of_a_net_that_takes_sizes_that_divide_well_only() -> None:
    wanted = Signature((TensorSpec("x", "float32", ("batch", 3, "height", "width")),))

    def infer(given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        batch, _, height, width = given["x"].shape
        if height % 8 or width % 8:
            raise InvalidModel(f"{height} by {width} cannot be halved three times.")
        return {"y": np.zeros((batch, 5, height, width // 2), "float32")}

    found = with_outputs(
        wanted,
        lambda sizes: feed(wanted, "random", 2, 0, sizes=sizes),
        infer,
    )
    assert found.outputs == (TensorSpec("y", "float32", ("batch", 5, "height", "width_derived_3")),)
    with pytest.raises(InvalidModel):
        with_outputs(SIGNATURE, lambda sizes: feed(SIGNATURE, "random", 2, 0, sizes=sizes), _never)


def _never(_: object) -> dict[str, np.ndarray]:
    raise InvalidModel("It runs on nothing.")
