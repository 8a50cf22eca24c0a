"""The header of a safetensors file, bounded and read once before the format's own reader."""

from __future__ import annotations

import json
import struct
from collections import Counter
from pathlib import Path
from typing import Any

from engine.errors import InvalidModel

MOST_TENSORS = 200_000
_HEADER_LIMIT = 100 << 20
"""What the format's own reader takes, in bytes."""
_LENGTH = struct.Struct("<Q")


def check(path: Path) -> None:
    """Raise InvalidModel for a header that is too large, is no JSON, or names a tensor twice.

    Its own reader takes a name that is there twice and keeps one of them without a word.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(_LENGTH.size)
        length = _LENGTH.unpack(start)[0] if len(start) == _LENGTH.size else size
        if length > min(_HEADER_LIMIT, size - _LENGTH.size):
            raise _refused(f"its header claims {length:,} bytes of a file of {size:,}")
        text = file.read(length)
    try:
        header = json.loads(text, object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise _refused("its header is not JSON") from error
    if not isinstance(header, dict):
        raise _refused("its header names no tensors")
    if len(header) > MOST_TENSORS:
        raise _refused(f"it names {len(header):,} tensors, and {MOST_TENSORS:,} are the most")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(
            name for name, count in Counter(name for name, _ in pairs).items() if count > 1
        )
        raise _refused(f"it names {twice[:60]!r} twice")
    return found


def _refused(why: str) -> InvalidModel:
    return InvalidModel(
        f"This begins like safetensors but cannot be read as such: {why}.",
        hint="It was cut short or changed: bring it again.",
    )
