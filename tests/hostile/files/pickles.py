"""Pickles that call something, however they are wrapped (families 1 to 10)."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.hostile.case import Case, Traps

UNSAFE = ("unsafe_model",)
INVALID = ("invalid_model",)


class Runs:
    """Pickles into a call."""

    def __init__(self, function: Callable[..., Any], *given: Any) -> None:
        self.call = (function, given)

    def __reduce__(self) -> Any:
        return self.call


def _weights() -> dict[str, Any]:
    import torch

    from engine.architectures import architecture_named

    architecture = architecture_named("digits")
    torch.manual_seed(0)
    found: dict[str, Any] = architecture.build(architecture.default_config).state_dict()
    return found


def _saved(content: Any, *, zipped: bool = True) -> Callable[[Path, Traps], Path]:
    def make(folder: Path, traps: Traps) -> Path:
        import torch

        path = folder / "weights.pt"
        wanted = content(traps) if callable(content) else content
        torch.save(wanted, path, _use_new_zipfile_serialization=zipped)
        return path

    return make


def _raw(opcodes: Callable[[Traps], bytes], member: str = "a/data.pkl") -> Any:
    """A zip as torch writes it, around a pickle written by hand."""

    def make(folder: Path, traps: Traps) -> Path:
        path = folder / "weights.pt"
        with zipfile.ZipFile(path, "w") as file:
            file.writestr(member, opcodes(traps))
            file.writestr("a/version", "3")
        return path

    return make


def _global(module: str, name: str, *given: str) -> Callable[[Traps], bytes]:
    """A call of anything by name, whether or not this process could import it."""

    def opcodes(traps: Traps) -> bytes:
        texts = [text.format(command=traps.command, mark=traps.mark) for text in given]
        pushed = b"".join(b"X" + len(t.encode()).to_bytes(4, "little") + t.encode() for t in texts)
        return b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"(" + pushed + b"tR."

    return opcodes


def _popped(traps: Traps) -> bytes:
    """The call's answer is thrown away, so that what is left looks like weights."""
    return _global("os", "system", "{command}")(traps)[:-1] + b"0}."


def _broken_tail(traps: Traps) -> bytes:
    return _global("os", "system", "{command}")(traps)[:-1] + b"\xff\xff\xff"


def _harmless(folder: Path) -> Path:
    import torch

    path = folder / "weights.pt"
    torch.save(_weights(), path)
    return path


def _under_a_picture(folder: Path, traps: Traps) -> Path:
    path = _harmless(folder)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("weights/face.png", pickle.dumps(Runs(os.system, traps.command), 2))
    return path


def _oldest(folder: Path, traps: Traps) -> Path:
    path = _harmless(folder)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("weights/notes.txt", pickle.dumps(Runs(os.system, traps.command), 0))
    return path


def _wrong_checksum(folder: Path, traps: Traps) -> Path:
    path = _harmless(folder)
    with zipfile.ZipFile(path) as file:
        info = next(one for one in file.infolist() if one.filename.endswith("data/0"))
        start = info.header_offset + 30 + len(info.filename) + 200
    data = bytearray(path.read_bytes())
    data[start] ^= 0xFF
    path.write_bytes(data)
    return path


def _deep(traps: Traps) -> bytes:
    return b"\x80\x02" + b"(" * 200_000 + b"t" * 200_000 + b"."


def _laughing(traps: Traps) -> bytes:
    """A billion lists out of thirty, by the memo."""
    body = b"\x80\x02]q\x00."[:-1]
    for index in range(30):
        body += b"](" + b"h" + bytes([index]) + b"h" + bytes([index]) + b"eq" + bytes([index + 1])
    return body + b"."


def _object_array(folder: Path, traps: Traps) -> Path:
    import numpy as np

    path = folder / "weights.npy"
    np.save(path, np.array([Runs(os.system, traps.command)], dtype=object), allow_pickle=True)
    return path


def _stretched(traps: Traps) -> dict[str, Any]:
    import torch

    return {"conv": torch.zeros(1).expand(1 << 34), "head": torch.zeros(2)}


def _storage_mismatch(folder: Path, traps: Traps) -> Path:
    """The pickle claims a storage of a thousand numbers; the member holds three."""
    import torch

    good, path = folder / "good.pt", folder / "weights.pt"
    torch.save({"a": torch.zeros(1000)}, good)
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(path, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            new.writestr(info.filename, data[:12] if info.filename.endswith("data/0") else data)
    good.unlink()
    return path


def _items_of_a_list(traps: Traps) -> bytes:
    """SETITEMS on what is no dict: once a corruption of memory in torch's own reader."""
    return b"\x80\x02](X\x01\x00\x00\x00aK\x01u."


CASES = [
    Case(
        1,
        "a zip that runs a command",
        _saved(lambda t: {"w": Runs(os.system, t.command)}),
        UNSAFE,
        "system",
    ),
    Case(
        2,
        "a legacy file that runs a command",
        _saved(lambda t: {"w": Runs(os.system, t.command)}, zipped=False),
        UNSAFE,
        "system",
    ),
    Case(3, "eval", _raw(_global("builtins", "eval", "open('{mark}','w')")), UNSAFE, "eval"),
    Case(
        3,
        "a function found by pkgutil",
        _raw(_global("pkgutil", "resolve_name", "os:system")),
        UNSAFE,
        "resolve_name",
    ),
    Case(
        3,
        "a module imported by name",
        _raw(_global("importlib", "import_module", "os")),
        UNSAFE,
        "import_module",
    ),
    Case(
        3, "an attribute by name", _raw(_global("builtins", "getattr", "x", "y")), UNSAFE, "getattr"
    ),
    Case(
        4,
        "torch's own runner of commands",
        _raw(_global("torch.utils.collect_env", "run", "{command}")),
        UNSAFE,
        "collect_env",
    ),
    Case(
        4,
        "numpy's own runner of code",
        _raw(_global("numpy.testing._private.utils", "runstring", "import os", "x")),
        UNSAFE,
        "runstring",
    ),
    Case(4, "a native library", _raw(_global("ctypes", "CDLL", "libc.so.6")), UNSAFE, "CDLL"),
    Case(5, "a call whose answer is dropped", _raw(_popped), UNSAFE, "system"),
    Case(5, "a call before a broken end", _raw(_broken_tail), UNSAFE, "system"),
    Case(6, "a pickle called a picture", _under_a_picture, UNSAFE, "system"),
    Case(6, "a pickle of the oldest kind called a text", _oldest, UNSAFE, "system"),
    Case(6, "a wrong checksum", _wrong_checksum, INVALID),
    Case(7, "an array of objects", _object_array, INVALID, "numpy array"),
    Case(8, "a storage of another size", _storage_mismatch, INVALID),
    Case(8, "items set on a list", _raw(_items_of_a_list), INVALID + UNSAFE),
    Case(9, "64 GiB over four bytes", _saved(_stretched), INVALID, "claims"),
    Case(10, "200,000 levels deep", _raw(_deep), INVALID + UNSAFE),
    Case(10, "a billion lists", _raw(_laughing), INVALID + UNSAFE),
]
