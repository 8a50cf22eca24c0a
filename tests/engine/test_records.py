"""Records to JSON and back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadRequest
from engine.records import dump, dumps, fingerprint, parse
from engine.types import Signature, TensorSpec

names = st.text(min_size=1, max_size=20)
dims = st.one_of(st.integers(0, 1 << 40), names)
specs = st.builds(
    TensorSpec,
    name=names,
    dtype=st.sampled_from(["float32", "int64", "bool"]),
    shape=st.lists(dims, max_size=5).map(tuple),
    low=st.none() | st.floats(-1e6, 1e6),
)
signatures = st.builds(
    Signature, inputs=st.lists(specs, max_size=4).map(tuple), outputs=st.just(())
)


@given(signatures)
def test_a_signature_survives_json(signature: Signature) -> None:
    assert parse(Signature, json.loads(dumps(signature))) == signature


def test_a_field_that_does_not_belong_is_named() -> None:
    data = dump(Signature(())) | {"surprise": 1}
    with pytest.raises(BadRequest, match="surprise"):
        parse(Signature, data)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(BadRequest, match="shape"):
        parse(Signature, {"inputs": [{"name": "x", "dtype": "float32"}], "outputs": []})


def test_nan_never_becomes_json() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        dumps(TensorSpec("x", "float32", (1,), low=float("nan")))


def test_equal_values_have_equal_fingerprints() -> None:
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint(["a"], "b") != fingerprint("a", ["b"])


def test_symbols_come_in_order_and_once() -> None:
    signature = Signature(
        (
            TensorSpec("ids", "int64", ("batch", "sequence")),
            TensorSpec("mask", "int64", ("batch", "sequence")),
        )
    )
    assert signature.symbols == ("batch", "sequence")
    assert signature.batch_symbol == "batch"
