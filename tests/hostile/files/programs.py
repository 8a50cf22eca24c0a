"""Models that are code: TorchScript and torch.export (families 11 to 16)."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.engine.sources.conftest import export, net, script
from tests.hostile.case import Case, Traps
from tests.hostile.files.pickles import Runs

UNSAFE = ("unsafe_model",)


def _changed(change: Callable[[str, bytes, Traps], bytes]) -> Callable[[Path, Traps], Path]:
    """A good ``.pt2``, each member handed through ``change(name, data, traps)``."""

    def make(folder: Path, traps: Traps) -> Path:
        good, path = export(net(), folder / "good.pt2"), folder / "model.pt2"
        with zipfile.ZipFile(good) as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                new.writestr(name, change(name, old.read(name), traps))
        good.unlink()
        return path

    return make


def _hostile_samples(name: str, data: bytes, traps: Traps) -> bytes:
    import torch

    if "sample_inputs" not in name:
        return data
    buffer = io.BytesIO()
    torch.save(((Runs(os.system, traps.command),), {}), buffer)
    return buffer.getvalue()


def _pickled_weights(name: str, data: bytes, traps: Traps) -> bytes:
    if not name.endswith("weights_config.json"):
        return data
    return data.replace(b'"use_pickle": false', b'"use_pickle": true')


def _hostile_size(name: str, data: bytes, traps: Traps) -> bytes:
    if not name.endswith("models/model.json"):
        return data
    program = json.loads(data)
    code = f"__import__('os').system({traps.command!r})"
    values = program["graph_module"]["graph"]["tensor_values"]
    values["image"]["sizes"][0]["as_expr"] = {"expr_str": code, "hint": {"as_int": 2}}
    return json.dumps(program).encode()


def _compiled(folder: Path, traps: Traps) -> Path:
    path = export(net(), folder / "model.pt2")
    with zipfile.ZipFile(path, "a") as file:
        root = file.namelist()[0].split("/")[0]
        file.writestr(f"{root}/data/aotinductor/model/x.so", b"\x7fELF" + bytes(64))
    return path


def _reads(folder: Path, traps: Traps) -> Path:
    import torch
    from torch import nn

    class Reads(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.from_file("/etc/passwd", size=16)

    return script(Reads(), folder / "model.pt")


def _writes_when_loaded(folder: Path, traps: Traps) -> Path:
    import torch

    class Writes(_loading()):
        @torch.jit.export
        def __setstate__(self, state: tuple[int, bool]) -> None:
            self.training = state[1]
            held = torch.from_file("/tmp/assay-was-here", shared=True, size=4)
            self.size = held.size(0)  # what nobody uses, the compiler leaves out

    return script(Writes(), folder / "model.pt")


def _takes_all(folder: Path, traps: Traps) -> Path:
    import torch

    class Takes(_loading()):
        @torch.jit.export
        def __setstate__(self, state: tuple[int, bool]) -> None:
            self.training = state[1]
            held = torch.ones([16 * 1024 * 1024 * 1024 * 1024])
            self.size = held.size(0)

    return script(Takes(), folder / "model.pt")


def _loading() -> Any:
    """A module that only lacks what it does when it is loaded."""
    import torch
    from torch import nn

    class Loading(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.size = 4

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

        @torch.jit.export
        def __getstate__(self) -> tuple[int, bool]:
            return (self.size, self.training)

    return Loading


def _beside_another(folder: Path, traps: Traps) -> Path:
    """A harmless program behind one that is not: PyTorch takes the first, and so must the scan."""
    bad, good = _reads(folder, traps), script(net(), folder / "good.pt")
    path = folder / "both.pt"
    with zipfile.ZipFile(path, "w") as new:
        for source, root in ((bad, "__MACOSX"), (good, "good")):
            with zipfile.ZipFile(source) as old:
                for name in old.namelist():
                    new.writestr(f"{root}/{name.split('/', 1)[1]}", old.read(name))
    return path


CASES = [
    Case(11, "example inputs that are a pickle", _changed(_hostile_samples), UNSAFE),
    Case(12, "weights that are a pickle", _changed(_pickled_weights), UNSAFE, "pickle"),
    Case(13, "a size that is code", _changed(_hostile_size), UNSAFE),
    Case(13, "a compiled library inside", _compiled, UNSAFE, "aotinductor"),
    Case(14, "TorchScript that reads a file", _reads, UNSAFE, "from_file"),
    Case(14, "TorchScript where a desktop's files lie", _beside_another, UNSAFE, "from_file"),
    Case(15, "TorchScript that writes when it is loaded", _writes_when_loaded, UNSAFE, "from_file"),
    Case(
        16,
        "TorchScript that asks for 16 TiB",
        _takes_all,
        ("out_of_memory",),
    ),
]
