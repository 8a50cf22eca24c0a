"""Small models in every form they can arrive in."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import EngineError
from engine.records import dump
from engine.tasks import identify
from engine.types import Signature
from tests.models import TaskFolder

Bring = Callable[..., dict[str, Any]]


@pytest.fixture
def bring(workspace: Path) -> Bring:
    """``bring(path, architecture=…)``: what the identify task says of a file."""

    def run(path: Path, name: str | None = None, **wanted: Any) -> dict[str, Any]:
        out = workspace / "out"
        signature: Signature | None = wanted.get("signature")
        request = {
            "origin": "upload",
            "source": str(path),
            "name": name or path.name,
            "architecture": wanted.get("architecture"),
            "config": str(wanted["config"]) if "config" in wanted else None,
            "signature": dump(signature) if signature else None,
        }
        found: dict[str, Any] = identify.run(request, TaskFolder(out))["model"]
        assert (out / found["path"]).exists()
        assert not (out / "unpacked").exists()
        return found

    return run


def refused(bring: Bring, path: Path, error: type[EngineError], **wanted: Any) -> EngineError:
    """The error with which a file is refused: a sentence, and what to do next."""
    with pytest.raises(error) as caught:
        bring(path, **wanted)
    assert type(caught.value) is error
    assert caught.value.message.endswith((".", ")."))
    assert caught.value.hint
    return caught.value


def net() -> Any:
    """A tiny image classifier with a convolution first."""
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)
            self.norm = nn.BatchNorm2d(4)
            self.head = nn.Linear(4, 2)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.head(self.norm(self.conv(image)).mean((2, 3)))
            return out

    torch.manual_seed(0)
    return Net().eval()


@pytest.fixture
def digits() -> dict[str, Any]:
    """The weights of the architecture ``digits``."""
    import torch

    from engine.architectures import architecture_named

    architecture = architecture_named("digits")
    torch.manual_seed(0)
    weights: dict[str, Any] = architecture.build(architecture.default_config).state_dict()
    return weights


def export(module: Any, path: Path) -> Path:
    """A ``.pt2`` with a dynamic batch."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(
            module,
            (torch.rand(2, 3, 16, 16),),
            dynamic_shapes={"image": {0: torch.export.Dim("batch")}},
        )
        torch.export.save(program, path)
    return path


def script(module: Any, path: Path) -> Path:
    """A TorchScript file."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(module).save(str(path))
    return path


def onnx_model(domain: str = "") -> Any:
    """A lookup and a product: token ids in, four numbers a token out."""
    from onnx import TensorProto, helper, numpy_helper

    stream = np.random.default_rng(0)
    table = numpy_helper.from_array(stream.random((50, 8), np.float32), "table")
    weight = numpy_helper.from_array(stream.random((8, 4), np.float32), "weight")
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("MatMul", ["rows", "weight"], ["out"], domain=domain),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "sequence"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch", "sequence", 4])],
        [table, weight],
    )
    opsets = [helper.make_opsetid("", 20)]
    if domain:
        opsets.append(helper.make_opsetid(domain, 1))
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def with_external_data(folder: Path, change: Callable[[Any], None] | None = None) -> Path:
    """A folder of ``model.onnx`` and ``data.bin``, the graph changed last."""
    import onnx

    folder.mkdir()
    path = folder / "model.onnx"
    onnx.save(
        onnx_model(), str(path), save_as_external_data=True, location="data.bin", size_threshold=0
    )
    if change:
        graph = onnx.load(str(path), load_external_data=False)
        change(graph)
        path.write_bytes(graph.SerializeToString())
    return folder


def zipped(path: Path, members: Mapping[str, bytes]) -> Path:
    """A plain zip of these members."""
    with zipfile.ZipFile(path, "w") as target:
        for name, data in members.items():
            target.writestr(name, data)
    return path
