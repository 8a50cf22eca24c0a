"""GGUF headers that lie (families 27 and 28)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

from tests import gguf_files
from tests.hostile.case import Case, Traps

INVALID = ("invalid_model",)


def _made(data: bytes) -> Callable[[Path, Traps], Path]:
    def make(folder: Path, traps: Traps) -> Path:
        path = folder / "model.gguf"
        path.write_bytes(data)
        return path

    return make


def _llama(**changed: tuple[int, object]) -> Callable[[Path, Traps], Path]:
    def make(folder: Path, traps: Traps) -> Path:
        named = {name.replace("__", "."): value for name, value in changed.items()}
        return gguf_files.write_llama(folder / "model.gguf", **named)

    return make


def _cut(folder: Path, traps: Traps) -> Path:
    path = gguf_files.write_llama(folder / "model.gguf")
    path.write_bytes(path.read_bytes()[:-2000])
    return path


_HEAD = b"GGUF" + struct.pack("<I", 3)
_KEY = gguf_files.text("a")
_ARRAY = struct.pack("<IIQ", gguf_files.ARRAY, gguf_files.U32, 1 << 63)
_WIDE = gguf_files.header(
    {"general.architecture": (gguf_files.TEXT, "llama")},
    [("token_embd.weight", (1 << 40, 1 << 40), 0, 0)],
)

CASES = [
    Case(27, "an array of 2^63", _made(_HEAD + struct.pack("<QQ", 0, 1) + _KEY + _ARRAY), INVALID),
    Case(27, "2^63 entries", _made(_HEAD + struct.pack("<QQ", 0, 1 << 63)), INVALID),
    Case(27, "2^63 tensors", _made(_HEAD + struct.pack("<QQ", 1 << 63, 0)), INVALID),
    Case(27, "a text of 2^40", _made(_HEAD + struct.pack("<QQQ", 0, 1, 1 << 40)), INVALID),
    Case(27, "an alignment of 2^31", _llama(general__alignment=(gguf_files.U32, 1 << 31)), INVALID),
    Case(27, "a shape that overflows", _made(_WIDE), INVALID),
    Case(27, "cut short", _cut, INVALID),
    Case(
        28,
        "100,000 layers",
        _llama(llama__block_count=(gguf_files.U32, 100_000)),
        INVALID,
        "100,000 layers",
    ),
]
