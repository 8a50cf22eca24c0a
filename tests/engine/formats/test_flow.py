"""A model whose path depends on its data: what each format makes of it, and says about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import registry
from engine.errors import UnsupportedModel
from engine.formats.onnx import OnnxOptions
from engine.formats.torchscript import TorchScriptOptions
from engine.types import Artifact
from engine.verify.model import Verdict
from tests import models


@pytest.fixture(scope="module")
def adaptive(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return models.eager(tmp_path_factory.mktemp("adaptive") / "torch", "adaptive")


def test_traced_it_is_broken(adaptive: Artifact, tmp_path: Path) -> None:
    traced = models.converted(adaptive, "torchscript", tmp_path, method="trace")
    assert models.verified(adaptive, traced, tmp_path).verdict is Verdict.BROKEN


@pytest.mark.parametrize("method", ["auto", "script"])
def test_scripted_it_is_equivalent(adaptive: Artifact, tmp_path: Path, method: str) -> None:
    scripted = models.converted(adaptive, "torchscript", tmp_path, method=method)
    found = models.verified(adaptive, scripted, tmp_path)
    assert found.verdict.usable, found.sentence
    assert found.verdict is not Verdict.DEGRADED


def test_auto_says_that_it_scripted_and_why(adaptive: Artifact, tmp_path: Path) -> None:
    convert = registry.edge("torch", "torchscript")
    made = convert(adaptive, tmp_path / "m.pt", TorchScriptOptions())
    assert made.step.options["method"] == "script"
    assert made.step.notes[0].startswith(
        "Scripted, because the model's path depends on its data: a trace would keep only the path "
        "of the example (Converting a tensor to a Python boolean"
    )
    assert "deprecated" in made.step.notes[-1]


def test_asked_to_trace_it_warns(adaptive: Artifact, tmp_path: Path) -> None:
    convert = registry.edge("torch", "torchscript")
    made = convert(adaptive, tmp_path / "m.pt", TorchScriptOptions(method="trace"))
    assert any(note.startswith("Tracing warned: Converting a tensor") for note in made.step.notes)


def test_auto_traces_a_straight_model(tmp_path: Path) -> None:
    convert = registry.edge("torch", "torchscript")
    made = convert(models.eager(tmp_path / "d"), tmp_path / "m.pt", TorchScriptOptions())
    assert made.step.options["method"] == "trace"
    assert made.step.notes[0] == "Traced: the model takes the same path for all data."


def test_onnx_keeps_the_branches_and_says_how(adaptive: Artifact, tmp_path: Path) -> None:
    made = registry.edge("torch", "onnx")(adaptive, tmp_path / "m.onnx", OnnxOptions())
    assert made.step.tool == "torch.onnx (TorchScript-based)"
    assert "path depends on the values" in made.step.notes[0]
    assert "scripted model was exported instead" in made.step.notes[0]
    operators = registry.formats()["onnx"].describe(tmp_path / "m.onnx")[1]
    assert operators["Loop"] == 1
    candidate = models.artifact("onnx", tmp_path / "m.onnx", made.signature)
    assert models.verified(adaptive, candidate, tmp_path).verdict is Verdict.EQUIVALENT


def test_export_refuses_with_the_reason(adaptive: Artifact, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="path depends on the values") as caught:
        models.converted(adaptive, "exported", tmp_path)
    assert "scripting" in caught.value.hint


def test_a_fixed_axis_declared_dynamic_is_named() -> None:
    import torch

    from engine.exporting import export
    from engine.types import Signature, TensorSpec

    class Fixed(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.reshape(2, -1) * 2

    signature = Signature((TensorSpec("x", "float32", ("batch", 4)),))
    with pytest.raises(UnsupportedModel, match="calls 'batch' dynamic, but the model works with"):
        export(Fixed(), signature)


def test_an_operator_onnx_does_not_have_is_named(tmp_path: Path) -> None:
    import torch

    from engine.types import Signature, TensorSpec

    class Odd(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.eigvalsh(x)

    spec = TensorSpec("x", "float32", (3, 3)), TensorSpec("y", "float32", (3,))
    program = torch.export.export(Odd(), (torch.eye(3),))
    torch.export.save(program, str(tmp_path / "odd.pt2"))
    source = models.artifact("exported", tmp_path / "odd.pt2", Signature(spec[:1], spec[1:]))
    with pytest.raises(UnsupportedModel, match=r"no form of aten.*linalg_eig") as caught:
        models.converted(source, "onnx", tmp_path)
    assert "Try TorchScript" in caught.value.hint
