"""What follows from a model's file and this machine, and which formats it can get to."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from engine import nvidia, registry
from engine.knowledge import advice_for, answers_for, reach_from
from engine.types import Artifact, Model, Signature

MODEL = Model(
    id="m",
    name="a model",
    kind="onnx",
    artifact=Artifact("a", "onnx", Path("a.onnx"), "0" * 64, 1, Signature(())),
    signature_origin="carried",
    parameters=1000,
    op_histogram={"Conv": 3},
    facts={},
    reach=(),
    notes=(),
    created_at="2026-01-01T00:00:00+00:00",
)


def in_format(name: str, **changes: object) -> Model:
    artifact = dataclasses.replace(MODEL.artifact, format=name)
    return dataclasses.replace(MODEL, artifact=artifact, **changes)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    driver = tmp_path / "version"
    monkeypatch.setattr(nvidia, "DRIVER", driver)
    return driver


def test_without_a_model_only_the_machine_answers(no_gpu: Path) -> None:
    assert answers_for(None) == {"hardware": "cpu"}
    no_gpu.write_text("NVRM version")
    assert answers_for(None) == {"hardware": "nvidia"}


def test_the_file_settles_framework_kind_size_and_control_flow(no_gpu: Path) -> None:
    assert answers_for(MODEL) == {
        "hardware": "cpu",
        "framework": "onnx",
        "kind": "other",
        "size": "small",
        "data_dependent": "no",
        "control_flow": "no",
    }


def test_eager_pytorch_does_not_tell_about_branches(no_gpu: Path) -> None:
    assert "control_flow" not in answers_for(in_format("torch"))
    told = in_format("torch", facts={"Control flow": "depends on its data"})
    assert answers_for(told)["control_flow"] == "yes"


@pytest.mark.parametrize(
    ("model", "leaf"),
    [
        (in_format("torch"), "onnx-runtime"),
        (MODEL, "onnx-runtime"),
        (in_format("torchscript", op_histogram={"prim::If": 1}), "torchscript-script"),
        (in_format("torch", facts={"Control flow": "depends on its data"}), "torchscript-script"),
        (in_format("savedmodel"), "savedmodel"),
        (in_format("gguf", parameters=7_000_000_000), "gguf"),
        (in_format("torch", parameters=None, op_histogram={}), "onnx-runtime"),
    ],
)
def test_advice_always_reaches_a_leaf(no_gpu: Path, model: Model, leaf: str) -> None:
    found = advice_for(model)
    assert (found.leaf, found.origin) == (leaf, "inferred")
    assert found.answers["target"] == "unknown"


def test_a_persons_answers_win_and_half_an_answer_does_not(no_gpu: Path) -> None:
    walked = advice_for(MODEL, {"target": "pytorch", "control_flow": "no"})
    assert (walked.leaf, walked.origin) == ("torchscript-trace", "tree")
    assert walked.answers == {"target": "pytorch", "control_flow": "no"}
    assert advice_for(MODEL, {"target": "pytorch"}).origin == "inferred"


def test_a_gpu_changes_the_advice(no_gpu: Path) -> None:
    no_gpu.write_text("NVRM version")
    found = advice_for(in_format("torch"))
    assert (found.leaf, found.format) == ("onnx-tensorrt", "tensorrt")


def test_reach_names_every_other_format_and_says_why_not(no_gpu: Path) -> None:
    artifact = in_format("torch").artifact
    found = {reach.format: reach for reach in reach_from(artifact)}
    known = ["onnx", "torchscript", "exported", "savedmodel", "gguf", "tensorrt"]
    assert list(found)[: len(known)] == known
    assert found["onnx"].reachable
    for name, reach in found.items():
        assert reach.reason.endswith(".") or "pip install" in reach.reason
        assert reach.reachable == (name in registry.targets("torch", artifact))
    assert found["tensorrt"].reason.startswith(
        "TensorRT cannot be made here: no NVIDIA GPU was found here"
    )
    assert "ONNX prepared for TensorRT can be made here" in found["tensorrt"].reason


def test_reach_says_what_to_install(no_gpu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx = registry.formats()["onnx"]
    need = registry.Requirement("no_such_module", "no-such-package")
    hidden = {**registry.formats(), "onnx": dataclasses.replace(onnx, requires=(need,))}
    monkeypatch.setattr(registry, "formats", lambda: hidden)
    reach = {reach.format: reach for reach in reach_from(in_format("torch").artifact)}["onnx"]
    assert not reach.reachable
    assert "no-such-package" in reach.reason and "pip install no-such-package" in reach.reason


def test_a_format_without_a_way_back_says_so() -> None:
    for reach in reach_from(in_format("torchscript").artifact):
        assert reach.format != "torchscript"
        if not reach.reachable and reach.format == "onnx":
            assert "from TorchScript to ONNX" in reach.reason


def test_reach_says_what_is_in_the_way_of_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    onnx = registry.formats()["onnx"]
    need = registry.Requirement("no_such_module", "no-such-package")
    hidden = {**registry.formats(), "onnx": dataclasses.replace(onnx, requires=(need,))}
    monkeypatch.setattr(registry, "formats", lambda: hidden)
    found = {reach.format: reach for reach in reach_from(in_format("torch").artifact)}
    assert not found["savedmodel"].reachable
    assert found["savedmodel"].reason.startswith("The way leads through ONNX.")
    assert "pip install no-such-package" in found["savedmodel"].reason


def test_a_model_that_cannot_take_the_first_step_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for step in ("onnx", "exported", "torchscript"):
        monkeypatch.setitem(registry._fits, ("torch", step), lambda artifact: "It is too odd.")
    found = {reach.format: reach for reach in reach_from(in_format("torch").artifact)}
    assert found["onnx"].reason == "It is too odd."
    assert found["savedmodel"].reason == "The way leads through ONNX. It is too odd."


@pytest.mark.parametrize("source", ["onnx", "torchscript", "exported", "savedmodel", "gguf"])
def test_where_the_formats_themselves_forbid_it_the_reason_is_theirs(source: str) -> None:
    for reach in reach_from(in_format(source).artifact):
        assert reach.reachable or not reach.reason.startswith("This version of Assay has no conv")
