"""A model whose path depends on its data: what each format makes of it, and says about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine import registry
from engine.errors import BadRequest, UnsupportedModel
from engine.formats.onnx import OnnxOptions
from engine.formats.torchscript import TorchScriptOptions
from engine.scripting import to_torchscript
from engine.types import Artifact, Signature, TensorSpec
from engine.verify.model import Verdict
from tests import models


@pytest.fixture(scope="module")
def adaptive(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return models.eager(tmp_path_factory.mktemp("adaptive") / "torch", "adaptive")


def test_a_trace_that_would_be_wrong_is_refused_with_the_line(
    adaptive: Artifact, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedModel, match="a trace would be wrong: 'logits' differs by") as no:
        models.converted(adaptive, "torchscript", tmp_path, method="trace")
    assert "engine/architectures/adaptive.py, line 26: `while rounds < 8 and" in no.value.message
    assert "method=script" in no.value.hint


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
    assert made.step.notes[0].startswith("Scripted, because a trace would be wrong: 'logits'")
    assert "adaptive.py, line 26" in made.step.notes[0]
    assert "deprecated" in made.step.notes[-1]


def neither(x: Any) -> Any:
    """Branches on its data, and holds code that TorchScript has no form for."""
    pick = {"up": lambda y: y + 1, "down": lambda y: y - 1}
    return pick["up" if bool(x.sum() > 0) else "down"](x)


def test_what_can_neither_be_traced_nor_scripted_names_both_lines() -> None:
    import torch

    class Neither(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return neither(x)

    signature = Signature((TensorSpec("x", "float32", ("batch", 3)),))
    with pytest.raises(UnsupportedModel, match="No TorchScript can be made") as caught:
        to_torchscript(Neither(), signature, "auto")
    said = caught.value.message
    assert f'line {BRANCH}: `return pick["up" if bool' in said
    assert "torch.jit.script cannot compile this model's code" in said


BRANCH = neither.__code__.co_firstlineno + 3


def test_a_trace_that_fixes_the_batch_is_caught() -> None:
    import torch

    class Fixing(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.reshape(int(x.shape[0]), -1) + torch.zeros(len(x.tolist()), 1)

    signature = Signature((TensorSpec("x", "float32", ("batch", 3)),))
    with pytest.raises(UnsupportedModel, match="a trace would be wrong: it fails"):
        to_torchscript(Fixing(), signature, "trace")


@pytest.mark.parametrize(
    ("options", "variant", "verb"),
    [
        ({"freeze": False}, "not frozen", "trace"),
        ({"for_inference": True}, "optimized on load", "trace and freeze"),
    ],
)
def test_freezing_and_optimizing_are_choices(
    options: dict[str, bool], variant: str, verb: str, tmp_path: Path
) -> None:
    source = models.eager(tmp_path / "d")
    convert = registry.edge("torch", "torchscript")
    made = convert(source, tmp_path / "m.pt", TorchScriptOptions(**options))
    assert (made.variant, made.step.verb) == (variant, verb)
    found = models.artifact("torchscript", tmp_path / "m.pt", made.signature)
    weights = registry.formats()["torchscript"].describe(found.path)[2]
    assert weights["Weights are constants (frozen)"] == ("yes" if "freeze" in verb else "no")
    judged = models.verified(source, found, tmp_path / "w").verdict
    assert judged in (Verdict.EXACT, Verdict.EQUIVALENT)  # which, is the processor's to say


def test_optimizing_what_is_not_frozen_is_refused(tmp_path: Path) -> None:
    convert = registry.edge("torch", "torchscript")
    asked = TorchScriptOptions(freeze=False, for_inference=True)
    with pytest.raises(BadRequest, match="works on a frozen module"):
        convert(models.eager(tmp_path / "d"), tmp_path / "m.pt", asked)


def test_auto_traces_a_straight_model(tmp_path: Path) -> None:
    convert = registry.edge("torch", "torchscript")
    made = convert(models.eager(tmp_path / "d"), tmp_path / "m.pt", TorchScriptOptions())
    assert made.step.options["method"] == "trace"
    assert made.step.notes[0] == "Traced: it agrees with the original on 5 other inputs."


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
    assert "adaptive.py, line 26: `while rounds < 8 and" in caught.value.message
    assert "scripting" in caught.value.hint


def test_a_fixed_axis_declared_dynamic_is_named() -> None:
    import torch

    from engine.exporting import export

    class Fixed(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.reshape(2, -1) * 2

    signature = Signature((TensorSpec("x", "float32", ("batch", 4)),))
    with pytest.raises(UnsupportedModel, match="calls 'batch' dynamic, but the model works with"):
        export(Fixed(), signature)


def test_an_operator_onnx_does_not_have_is_named(tmp_path: Path) -> None:
    import torch

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
