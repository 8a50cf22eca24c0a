"""ONNX that reaches out, or lies (families 19 to 22)."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.engine.sources.conftest import onnx_model, with_external_data
from tests.hostile.case import Case, Traps

UNSAFE, INVALID = ("unsafe_model",), ("invalid_model",)


def _external(
    change: Callable[[Any, Traps], None],
    add: Callable[[zipfile.ZipFile, Traps], None] | None = None,
) -> Callable[[Path, Traps], Path]:
    """A zip of model.onnx and data.bin, the entry of one weight changed."""

    def make(folder: Path, traps: Traps) -> Path:
        def on(graph: Any) -> None:
            change(graph.graph.initializer[0], traps)

        home = with_external_data(folder / "model", on)
        path = folder / "model.zip"
        with zipfile.ZipFile(path, "w") as file:
            for item in home.iterdir():
                file.write(item, item.name)
            if add:
                add(file, traps)
        return path

    return make


def _set(**entries: Any) -> Callable[[Any, Traps], None]:
    def change(tensor: Any, traps: Traps) -> None:
        for key, value in entries.items():
            wanted = value(traps) if callable(value) else str(value)
            found = [one for one in tensor.external_data if one.key == key]
            entry = found[0] if found else tensor.external_data.add(key=key)
            entry.value = wanted

    return change


def _link(file: zipfile.ZipFile, traps: Traps) -> None:
    info = zipfile.ZipInfo("link.bin")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    file.writestr(info, str(traps.secret))


def _written(change: Callable[[Any], Any]) -> Callable[[Path, Traps], Path]:
    def make(folder: Path, traps: Traps) -> Path:
        model = onnx_model()
        path = folder / "model.onnx"
        path.write_bytes((change(model) or model).SerializeToString())
        return path

    return make


def _cycle(model: Any) -> None:
    first, last = model.graph.node
    first.input[1] = last.output[0]


def _undefined(model: Any) -> None:
    model.graph.node[1].input[0] = "nobody"


def _custom(model: Any) -> Any:
    return onnx_model("evil.domain")


def _nested(folder: Path, traps: Traps) -> Path:
    """``If`` in ``If``, two thousand deep: no library writes that, so the bytes are."""

    def field(number: int, data: bytes) -> bytes:
        return bytes([number << 3 | 2]) + _varint(len(data)) + data

    graph = field(2, b"g")
    for _ in range(2000):
        branch = field(1, b"then_branch") + field(6, graph) + b"\xa0\x01\x05"
        graph = field(1, field(2, b"y") + field(4, b"If") + field(5, branch)) + field(2, b"g")
    path = folder / "model.onnx"
    path.write_bytes(b"\x08\x0a" + field(7, graph) + field(8, b"\x10\x14"))
    return path


def _varint(value: int) -> bytes:
    data = b""
    while value > 127:
        data, value = data + bytes([value & 127 | 128]), value >> 7
    return data + bytes([value])


def _deeper(folder: Path, traps: Traps) -> Path:
    path = folder / "model.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("notes.txt", "x")
        file.writestr("inside/model.onnx", onnx_model().SerializeToString())
    return path


def _alone(folder: Path, traps: Traps) -> Path:
    home = with_external_data(folder / "model")
    path = folder / "model.onnx"
    path.write_bytes((home / "model.onnx").read_bytes())
    return path


CASES = [
    Case(19, "weights one folder up", _external(_set(location="../secret.txt")), UNSAFE),
    Case(
        19, "weights by an absolute path", _external(_set(location=lambda t: str(t.secret))), UNSAFE
    ),
    Case(19, "weights in the environment", _external(_set(location="/proc/self/environ")), UNSAFE),
    Case(20, "weights through a link", _external(_set(location="link.bin"), _link), UNSAFE),
    Case(21, "2^45 bytes of weights", _external(_set(length=1 << 45)), INVALID),
    Case(21, "weights before the file", _external(_set(offset=-8)), UNSAFE),
    Case(21, "weights past the end", _external(_set(offset=1 << 20)), INVALID),
    Case(21, "a key that is an attribute", _external(_set(__class__="x")), UNSAFE, "unknown way"),
    Case(
        22,
        "an operator of nobody's",
        _written(_custom),
        ("unsupported",),
        "evil.domain",
    ),
    Case(22, "a graph that bites its tail", _written(_cycle), INVALID),
    Case(22, "a value nobody makes", _written(_undefined), INVALID),
    Case(22, "two thousand branches deep", _nested, INVALID),
    Case(22, "a graph in a folder beside a text", _deeper, INVALID, "a folder of its own"),
    Case(22, "weights that were not brought", _alone, INVALID, "data.bin"),
]
