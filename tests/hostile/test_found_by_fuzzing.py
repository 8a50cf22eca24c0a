"""What the long runs of ``make fuzz`` stumbled over, kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import InvalidModel
from tests.hostile.parsers import PARSERS, Parser

APART = next(parser for parser in PARSERS if parser.name == "ONNX with external data")


@pytest.mark.parametrize(
    ("parser", "good", "bad", "said"),
    [
        (APART, b"data.bin", b"data.b\xe9n", "what is no text"),
        (APART, b"data.bin", b"data.b\x00n", "outside its folder"),
        (APART, b"data.bin", b"data.bix", "missing beside the graph"),
    ],
)
def test_it_ends_in_a_sentence(
    parser: Parser, good: bytes, bad: bytes, said: str, tmp_path: Path
) -> None:
    whole = parser.make(tmp_path)
    path = tmp_path / f"damaged{parser.suffix}"
    path.write_bytes(whole)
    parser.read(path)
    assert good in whole
    path.write_bytes(whole.replace(good, bad))
    with pytest.raises(InvalidModel, match=said) as refused:
        parser.read(path)
    assert refused.value.hint


def test_a_name_longer_than_a_disk_takes_is_a_file_that_is_missing(tmp_path: Path) -> None:
    from engine.sources import onnx

    place = onnx.External("w", "x" * 5000, 0, None, 4)
    with pytest.raises(InvalidModel, match="missing beside the graph"):
        onnx._check_externals((place,), tmp_path, alone=False)
