"""What is no model at all, is called something else, or has names that are code (33 to 35)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.engine.sources.conftest import onnx_model
from tests.hostile.case import AT_THE_DOOR, DONE, Case, Traps

INVALID = ("invalid_model",)
NAMES = (
    "<img src=x onerror=alert(1)>",
    "![x](http://127.0.0.1:1/x.png)",
    "</script><script>alert(1)</script>",
    '=HYPERLINK("http://127.0.0.1:1")',
    '"]; URL="javascript:alert(1)',
)


def _bytes(data: bytes, name: str) -> Callable[[Path, Traps], Path]:
    def make(folder: Path, traps: Traps) -> Path:
        path = folder / name
        path.write_bytes(data)
        return path

    return make


def _named(name: str) -> Callable[[Path, Traps], Path]:
    """A graph that works, its input called something that is code elsewhere."""

    def make(folder: Path, traps: Traps) -> Path:
        model = onnx_model()
        model.graph.input[0].name = model.graph.node[0].input[1] = name
        model.graph.node[0].name = model.graph.name = name
        model.doc_string = name
        path = folder / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return make


def _called(name: str) -> Callable[[Path, Traps], Path]:
    def make(folder: Path, traps: Traps) -> Path:
        path = folder / name
        path.write_bytes(onnx_model().SerializeToString())
        return path

    return make


def _cut(eighths: int) -> Callable[[Path, Traps], Path]:
    def make(folder: Path, traps: Traps) -> Path:
        data = onnx_model().SerializeToString()
        path = folder / "model.onnx"
        path.write_bytes(data[: len(data) * eighths // 8])
        return path

    return make


def _flipped(folder: Path, traps: Traps) -> Path:
    data = bytearray(onnx_model().SerializeToString())
    for at in range(100, len(data), 97):
        data[at] ^= 0x5A
    path = folder / "model.onnx"
    path.write_bytes(data)
    return path


CASES = [
    *(Case(33, f"an input called {name}", _named(name), (DONE,)) for name in NAMES),
    Case(33, "an input that turns the text round", _named("a\u202egnp.exe"), INVALID, "unreadable"),
    Case(33, "an input of a million signs", _named("x" * 1_000_000), INVALID, "unreadable"),
    Case(34, "nothing", _bytes(b"", "model.onnx"), (AT_THE_DOOR,), "empty"),
    Case(
        34, "a web page", _bytes(b"<!DOCTYPE html><html></html>", "model.pt"), INVALID, "web page"
    ),
    Case(34, "a program", _bytes(b"\x7fELF" + bytes(60), "model.onnx"), INVALID, "program"),
    Case(34, "noise", _bytes(bytes(range(256)) * 9, "model.bin"), INVALID),
    Case(34, "bytes flipped all over", _flipped, (*INVALID, "unsupported")),
    *(Case(34, f"cut after {part} eighths", _cut(part), INVALID) for part in range(1, 8)),
    Case(34, "two endings", _called("model.safetensors.pt"), (DONE,)),
    Case(35, "a name of emoji", _called("🤖💥.onnx"), (DONE,)),
    *(
        Case(35, f"the name {name[:20]!r}", _called("model.onnx"), (DONE,), called=name)
        for name in ("../../etc/x.onnx", "a\0b.onnx", "x" * 300, "CON", "..", "\n\n", "\ud800.onnx")
    ),
    Case(35, "a name that a shell would run", _called("$(touch x); `id`.onnx"), (DONE,)),
]
