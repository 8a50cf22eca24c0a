"""Damaged bytes end every parser of ours in a sentence, within bounds: seeded, so that it repeats.

``make fuzz`` tries fifty times as many, and others each time.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import engine
from engine.errors import EngineError
from engine.knowledge import decision_tree
from engine.records import dump, parse
from engine.sources.uploads import clean_name
from engine.sources.words import one_line
from engine.types import Signature
from tests.hostile.parsers import DETECTED, PARSERS, Parser

CASES = int(os.environ.get("ASSAY_FUZZ", "60"))
"""Cases a parser; the longer run sets it."""
_SLOWEST = timedelta(seconds=20)
_MOST_KIB = 768 << 10
_fuzzed: Callable[[Any], Any] = settings(
    max_examples=CASES,
    derandomize=CASES <= 100,
    deadline=_SLOWEST,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
_NUMBERS = (b"\x00" * 8, b"\xff" * 8, b"\xff" * 7 + b"\x7f", b"\x00\x00\x00\x80", b"\xff\xff\x00")
_SIGNS = (b"\x00", b"\n", b'"', b"{", b"[" * 3000, b"NaN", b"-1", b"../", b"\xe2\x80\xae", b"1e999")


@st.composite
def damages(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """Cut, flip, overwrite, insert, repeat: up to four of them, at places told as fractions."""
    steps = draw(
        st.lists(
            st.tuples(
                st.sampled_from(("cut", "flip", "number", "sign", "again", "drop")),
                st.floats(0, 1, exclude_max=True),
                st.integers(0, 255),
            ),
            min_size=1,
            max_size=4,
        )
    )

    def damaged(data: bytes) -> bytes:
        for kind, where, value in steps:
            data = _changed(data, kind, int(where * len(data)), value)
        return data

    return damaged


def _changed(data: bytes, kind: str, at: int, value: int) -> bytes:
    start, end = data[:at], data[at:]
    if kind == "cut":
        return start
    if kind == "flip":
        return start + bytes([(end[0] ^ (value or 1)) if end else value]) + end[1:]
    if kind == "number":
        number = _NUMBERS[value % len(_NUMBERS)]
        return start + number + end[len(number) :]
    if kind == "sign":
        return start + _SIGNS[value % len(_SIGNS)] + end
    return start + end[:value] + end if kind == "again" else start + end[value:]


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Parser], tuple[bytes, Path]]:
    """The whole file of a parser, and where a damaged one goes; both made once."""
    made: dict[str, tuple[bytes, Path]] = {}

    def give(parser: Parser) -> tuple[bytes, Path]:
        name = parser.name.removeprefix("what it is: ")
        if name not in made:
            folder = tmp_path_factory.mktemp("good")
            made[name] = parser.make(folder), folder / f"damaged{parser.suffix}"
        return made[name]

    return give


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_the_good_file_is_read(
    parser: Parser, good: Callable[[Parser], tuple[bytes, Path]]
) -> None:
    data, path = good(parser)
    path.write_bytes(data)
    parser.read(path)


@pytest.mark.parametrize("parser", (*PARSERS, *DETECTED), ids=lambda parser: parser.name)
def test_damaged_bytes_end_in_a_sentence(
    parser: Parser, good: Callable[[Parser], tuple[bytes, Path]]
) -> None:
    whole, path = good(parser)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    @_fuzzed
    @given(damages())
    def try_it(damaged: Callable[[bytes], bytes]) -> None:
        path.write_bytes(damaged(whole))
        try:
            parser.read(path)
        except EngineError as error:
            assert error.message and error.hint, repr(error)
            assert all(sign.isprintable() for sign in error.message), repr(error.message)

    try_it()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < _MOST_KIB


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_cut_anywhere_it_ends_in_a_sentence(
    parser: Parser, good: Callable[[Parser], tuple[bytes, Path]]
) -> None:
    whole, path = good(parser)
    for part in range(24):
        path.write_bytes(whole[: len(whole) * part // 24])
        try:
            parser.read(path)
        except EngineError as error:
            assert error.message, repr(error)


_WORDS = st.text(max_size=40) | st.sampled_from(
    [question.id for question in decision_tree().questions]
)


@_fuzzed
@given(st.dictionaries(_WORDS, _WORDS, max_size=8))
def test_any_answers_in_an_address_lead_somewhere(answers: dict[str, str]) -> None:
    walk = engine.walk(answers)
    assert walk.question is not None or walk.leaf is not None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@_fuzzed
@given(_JSON)
def test_no_json_is_taken_for_a_signature_that_is_none(document: Any) -> None:
    try:
        assert dump(parse(Signature, document)) is not None
    except EngineError as error:
        assert "not a Signature" in error.message


@_fuzzed
@given(st.text())
def test_names_are_made_fit_to_be_shown_and_stored(name: str) -> None:
    kept = clean_name(name)
    assert kept and len(kept) <= 128 and not {"/", "\\", "\0", "\n"} & set(kept)
    assert kept not in (".", "..")
    assert "\n" not in one_line(name) and "\u202e" not in one_line(name)
