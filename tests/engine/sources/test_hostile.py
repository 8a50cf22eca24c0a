"""Files that would run code when they are read: refused by what they are, and nothing runs."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.errors import InvalidModel, UnsafeModel
from engine.sources import programs
from tests.engine.sources.conftest import Bring, export, net, refused, script


@pytest.fixture
def canary(tmp_path: Path) -> Any:
    """A file that a hostile model would create. It must not be there afterwards."""
    path = tmp_path / "canary"
    yield path
    assert not path.exists(), "hostile code ran"


class Runs:
    """Pickles into a call."""

    def __init__(self, function: Callable[..., Any], *given: Any) -> None:
        self.call = (function, given)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("zipped_file", [True, False])
def test_a_pickled_module_is_told_three_ways(
    bring: Bring, tmp_path: Path, zipped_file: bool
) -> None:
    import torch
    from torch import nn

    path = tmp_path / "whole.pt"
    torch.save(nn.Sequential(nn.Linear(2, 2)), path, _use_new_zipfile_serialization=zipped_file)
    error = refused(bring, path, UnsafeModel)
    assert "whole pickled model" in error.message
    assert all(way in error.hint for way in ("state_dict", "torch.jit", "torch.export"))


@pytest.mark.parametrize("zipped_file", [True, False])
def test_a_pickle_that_runs_a_command(
    bring: Bring, tmp_path: Path, canary: Path, zipped_file: bool
) -> None:
    import torch

    path = tmp_path / "evil.pt"
    evil = {"weight": torch.zeros(2), "x": Runs(os.system, f"touch {canary}")}
    torch.save(evil, path, _use_new_zipfile_serialization=zipped_file)
    error = refused(bring, path, UnsafeModel, architecture="digits")
    assert "system" in error.message


@pytest.mark.parametrize(
    "call",
    [
        lambda canary: (eval, f"open({str(canary)!r}, 'w')"),
        lambda canary: (exec, f"open({str(canary)!r}, 'w')"),
        lambda canary: (__import__, "this"),
        lambda canary: (getattr, "x", "upper"),
        lambda canary: (open, str(canary), "w"),
        lambda canary: (__import__("pkgutil").resolve_name, "os:system"),
        lambda canary: (__import__("ctypes").CDLL, "libc.so.6"),
        lambda canary: (__import__("pathlib").Path.touch, canary),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_raw_pickles_that_call_something(
    bring: Bring, tmp_path: Path, canary: Path, call: Any, protocol: int
) -> None:
    function, *given = call(canary)
    data = pickle.dumps({"w": Runs(function, *given)}, protocol=protocol)
    for target in (data, data[:-1], data[:-1] + b"\xff\xff"):
        path = tmp_path / "archive.pt"
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("a/data.pkl", target)
            file.writestr("a/version", "3")
        refused(bring, path, UnsafeModel, architecture="digits")


def test_a_pickle_under_another_name_inside_the_zip(
    bring: Bring, tmp_path: Path, canary: Path, digits: dict[str, Any]
) -> None:
    import torch

    path = tmp_path / "a.pt"
    torch.save(digits, path)
    with zipfile.ZipFile(path, "a") as file:
        evil = pickle.dumps(Runs(os.system, f"touch {canary}"), protocol=2)
        file.writestr("a/picture.png", evil)
    refused(bring, path, UnsafeModel, architecture="digits")


def test_a_tensor_that_claims_more_bytes_than_it_has(bring: Bring, tmp_path: Path) -> None:
    import torch

    path = tmp_path / "bomb.pt"
    torch.save({"a": torch.zeros(1).expand(1 << 34), "b": torch.zeros(2)}, path)
    assert "claims" in refused(bring, path, InvalidModel, architecture="digits").message


def test_torchscript_that_opens_files(bring: Bring, tmp_path: Path, canary: Path) -> None:
    import torch
    from torch import nn

    class Writes(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.from_file("/etc/passwd", size=16)

    path = script(Writes(), tmp_path / "w.pt")
    assert "from_file" in refused(bring, path, UnsafeModel).message


def _program(change: Callable[[Any], None], tmp_path: Path) -> Path:
    """A ``.pt2`` whose program was changed."""
    import json

    source = export(net(), tmp_path / "good.pt2")
    path = tmp_path / "evil.pt2"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("models/model.json"):
                program = json.loads(data)
                change(program)
                data = json.dumps(program).encode()
            new.writestr(name, data)
    return path


CODE = "__import__('os').system('touch {canary}')"


@pytest.mark.parametrize(
    "where", ["size", "guard", "guard text", "target", "name", "layout", "key"]
)
def test_a_program_that_would_be_evaluated(
    bring: Bring, tmp_path: Path, canary: Path, where: str
) -> None:
    code = CODE.format(canary=canary)

    def change(program: Any) -> None:
        graph = program["graph_module"]["graph"]
        if where == "size":
            values = graph["tensor_values"]
            values["image"]["sizes"][0]["as_expr"] = {"expr_str": code, "hint": {"as_int": 2}}
        elif where == "guard":
            program["guards_code"] = [code]
        elif where == "guard text":
            program["guards_code"] = [f"L['x\"), {code}, (\"'].size()[0] == 1"]
        elif where == "target":
            graph["nodes"][0]["target"] = "torch.os.system"
        elif where == "name":
            graph["inputs"][-1]["as_tensor"]["name"] = f"image={code}"
        elif where == "layout":
            call = program["graph_module"]["module_call_graph"][0]["signature"]
            call["in_spec"] = '[1, {"type": "collections.defaultdict", "context": '
            call["in_spec"] += '"{}", "children_spec": []}]'
        else:
            graph["tensor_values"][f"x\r{code}"] = graph["tensor_values"]["image"]

    refused(bring, _program(change, tmp_path), UnsafeModel)


def test_pickled_weights_in_a_program() -> None:
    text = b'{"config": {"w": {"path_name": "weight_0", "use_pickle": true}}}'
    with pytest.raises(UnsafeModel, match="pickle"):
        programs.check_payload(text, "weights")


def test_hostile_example_inputs_in_a_program(bring: Bring, tmp_path: Path, canary: Path) -> None:
    import torch

    samples = io.BytesIO()
    torch.save(((Runs(os.system, f"touch {canary}"),), {}), samples)
    source, path = export(net(), tmp_path / "good.pt2"), tmp_path / "evil.pt2"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            hostile = "sample_inputs" in name
            new.writestr(name, samples.getvalue() if hostile else old.read(name))
    refused(bring, path, UnsafeModel)


def test_compiled_code_in_a_program(bring: Bring, tmp_path: Path) -> None:
    path = export(net(), tmp_path / "good.pt2")
    with zipfile.ZipFile(path, "a") as file:
        root = file.namelist()[0].split("/")[0]
        file.writestr(f"{root}/data/aotinductor/model/x.so", b"\x7fELF")
    assert "aotinductor" in refused(bring, path, UnsafeModel).message
