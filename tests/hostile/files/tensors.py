"""safetensors files that lie about themselves (families 17 and 18)."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

from tests.hostile.case import Case, Traps
from tests.hostile.files.pickles import INVALID


def _file(header: bytes, body: bytes = bytes(64), length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + body


def _made(data: bytes) -> Callable[[Path, Traps], Path]:
    def make(folder: Path, traps: Traps) -> Path:
        path = folder / "weights.safetensors"
        path.write_bytes(data)
        return path

    return make


def _tensor(
    start: int, end: int, shape: tuple[int, ...] = (4,), kind: str = "F32"
) -> dict[str, object]:
    return {"dtype": kind, "shape": list(shape), "data_offsets": [start, end]}


def _said(header: object, body: int = 64) -> Callable[[Path, Traps], Path]:
    return _made(_file(json.dumps(header).encode(), bytes(body)))


_MANY = {f"t{index}": _tensor(4 * index, 4 * index + 4, (1,)) for index in range(200_000)}

_ONE = b'"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}'
_TWICE = b"{" + _ONE + b"," + _ONE + b"}"
_DEEP = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"

CASES = [
    Case(17, "a header of 2^63 bytes", _made(_file(b"{}", length=1 << 63)), INVALID),
    Case(
        17, "a header of 200 MB", _made(_file(b'{"a": 1}', length=200_000_000)), INVALID, "header"
    ),
    Case(
        17, "tensors that overlap", _said({"a": _tensor(0, 16), "b": _tensor(8, 24)}, 24), INVALID
    ),
    Case(
        17,
        "a hole between tensors",
        _said({"a": _tensor(0, 16), "b": _tensor(32, 48)}, 48),
        INVALID,
    ),
    Case(17, "a tensor past the end", _said({"a": _tensor(0, 1 << 40, (1 << 38,))}), INVALID),
    Case(17, "bytes that belong to none", _said({"a": _tensor(0, 16)}, 640), INVALID),
    Case(
        17, "a shape that overflows", _said({"a": _tensor(0, 16, (1 << 62, 1 << 62))}, 16), INVALID
    ),
    Case(
        17,
        "JSON a hundred thousand deep",
        _made(_file(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}")),
        INVALID,
    ),
    Case(17, "a type nobody knows", _said({"a": _tensor(0, 16, kind="F99")}, 16), INVALID),
    Case(
        18,
        "a name twice",
        _made(
            _file(
                b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},'
                b'"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}',
                bytes(16),
            )
        ),
        INVALID,
    ),
    Case(18, "200,000 tensors", _said(_MANY, 800_000), INVALID),
    Case(
        18,
        "names that are markup",
        _said({"<script>alert(1)</script>": _tensor(0, 16)}, 16),
        INVALID,
        "script",
    ),
]
