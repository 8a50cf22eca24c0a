"""ONNX in all its variants: opsets, folding, optimization, external data, and what is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import registry
from engine.errors import BadRequest, UnsupportedModel
from engine.formats.onnx import OnnxOptions
from engine.opsets import READERS, at_most, moved, opset_of, readers_of, said_of
from engine.registry import Conversion
from engine.types import Artifact, Signature, TensorSpec
from engine.verify.inputs import feed
from engine.verify.model import Verdict
from tests import models


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return models.eager(tmp_path_factory.mktemp("onnx") / "torch")


@pytest.fixture(scope="module")
def exported(digits: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    path = tmp_path_factory.mktemp("onnx") / "model.pt2"
    made = registry.edge("torch", "exported")(
        digits, path, registry.formats()["exported"].options()
    )
    return models.artifact("exported", path, made.signature)


@pytest.fixture(scope="module")
def plain(exported: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return made_from(exported, tmp_path_factory.mktemp("plain"))[0]


def made_from(source: Artifact, folder: Path, **options: Any) -> tuple[Artifact, Conversion]:
    folder.mkdir(parents=True, exist_ok=True)
    convert = registry.edge(source.format, "onnx")
    made = convert(source, folder / "model.onnx", OnnxOptions(**options))
    path = folder if len(list(folder.iterdir())) > 1 else folder / "model.onnx"
    return models.artifact("onnx", path, made.signature), made


def proto(artifact: Artifact) -> Any:
    return registry.load(artifact)


def operators(artifact: Artifact) -> set[str]:
    return {f"{node.domain}::{node.op_type}" for node in proto(artifact).graph.node}


def same(one: Artifact, other: Artifact) -> None:
    given = feed(one.signature, "random", 3, 4)
    np.testing.assert_allclose(
        models.infer(one, given)["logits"], models.infer(other, given)["logits"], atol=1e-5
    )


@pytest.mark.parametrize(("opset", "file_version"), [(17, 8), (25, 10)])
def test_the_opset_asked_for_is_the_opset_made(
    opset: int, file_version: int, exported: Artifact, plain: Artifact, tmp_path: Path
) -> None:
    """With the oldest file version that has it, since older runtimes refuse newer ones."""
    found, made = made_from(exported, tmp_path / "m", opset=opset)
    assert opset_of(proto(found)) == opset == made.step.options["opset"]
    assert proto(found).ir_version == file_version
    assert made.variant == f"opset {opset}"
    same(found, plain)


def test_an_opset_the_new_exporter_cannot_reach_is_the_old_ones(
    digits: Artifact, tmp_path: Path
) -> None:
    found, made = made_from(digits, tmp_path / "m", opset=12)
    assert opset_of(proto(found)) == 12
    assert made.step.tool == "torch.onnx (TorchScript-based)"
    assert "cannot be moved from opset 18 to 12" in made.step.notes[0]


def test_where_it_came_from_is_written_into_it(exported: Artifact, plain: Artifact) -> None:
    model = proto(plain)
    said = {item.key: item.value for item in model.metadata_props}
    assert model.producer_name == "assay"
    assert said["assay.source_sha256"] == exported.sha256
    assert said["assay.exporter"].startswith("pytorch 2.")
    assert json.loads(said["assay.lineage"])[-1].startswith("export: torch.onnx (dynamo) 2.")


def test_folding_and_shapes_are_choices(
    exported: Artifact, plain: Artifact, tmp_path: Path
) -> None:
    bare, _ = made_from(exported, tmp_path / "m", fold=False, shapes=False)
    assert len(proto(bare).graph.node) > len(proto(plain).graph.node)
    assert {value.name for value in proto(plain).graph.value_info}
    same(bare, plain)


@pytest.mark.parametrize(
    ("level", "own"), [("basic", ""), ("extended", "com.microsoft"), ("all", "com.microsoft.nchwc")]
)
def test_a_level_of_optimization_is_saved_and_said(
    level: str, own: str, plain: Artifact, tmp_path: Path
) -> None:
    found, made = made_from(plain, tmp_path / "m", optimized=level)
    assert made.variant == f"optimized ({level})"
    assert {item.domain for item in proto(found).opset_import} == {"", own}
    notes = " ".join(made.step.notes)
    assert f"level {level}" in notes
    assert ("no other runtime reads it" in notes) == (level != "basic")
    assert ("processors like this one" in notes) == (level == "all")
    assert ("TensorRT" in notes) == (level == "basic")
    same(found, plain)


@pytest.mark.parametrize("opset", [17, 23])
def test_a_model_that_was_brought_moves_up_and_down(
    opset: int, plain: Artifact, tmp_path: Path
) -> None:
    found, made = made_from(plain, tmp_path / "m", opset=opset)
    assert opset_of(proto(found)) == opset
    assert made.step.notes[0] == f"Moved from opset 20 to {opset}."
    assert models.verified(plain, found, tmp_path).verdict in (Verdict.EXACT, Verdict.EQUIVALENT)


def test_a_move_that_cannot_be_names_the_operator(plain: Artifact, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=r"from opset 20 to 13: .* older form of Relu 14"):
        made_from(plain, tmp_path / "m", opset=13)


@pytest.mark.parametrize("empty", [0, None])
def test_a_repeated_default_does_not_stop_a_move(empty: int | None, tmp_path: Path) -> None:
    """Exporters write the default out; in opset 17 the attribute does not exist."""
    told = {"keepdims": 1} | ({} if empty is None else {"noop_with_empty_axes": empty})
    mean = models.onnx_model(
        tmp_path / "a" / "mean.onnx",
        [("ReduceMean", ["x", "axes"], ["m"], told), ("Sub", ["x", "m"], ["y"])],
        {"axes": np.array([1], np.int64)},
    )
    found, _ = made_from(mean, tmp_path / "m", opset=17)
    assert models.verified(mean, found, tmp_path / "w").verdict is Verdict.EXACT


def test_an_operator_that_is_too_new_is_named(tmp_path: Path) -> None:
    gelu = models.onnx_model(tmp_path / "a" / "gelu.onnx", [("Gelu", ["x"], ["y"])])
    with pytest.raises(UnsupportedModel, match="20 to 17: Gelu does not exist in that opset"):
        made_from(gelu, tmp_path / "m", opset=17)


def test_nothing_to_change_is_said(plain: Artifact, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="opset 20 already"):
        made_from(plain, tmp_path / "m")


def test_a_target_downgrades_only_where_it_must(plain: Artifact) -> None:
    model = proto(plain)
    kept, said = at_most(model, 24)
    assert kept is model
    assert not said
    lowered, said = at_most(model, 17)
    assert opset_of(lowered) == 17
    assert said == ("Moved from opset 20 down to 17.",)
    assert moved(model, 20) is model


def test_every_runtime_has_its_opsets_and_a_source() -> None:
    assert all(item.low <= item.high and item.source for item in READERS)
    assert {item.runtime for item in readers_of(17)} >= {"ONNX Runtime 1.12", "TensorRT 8.5"}
    assert said_of(20) == (
        "Opset 20 is read by ONNX Runtime 1.17 or newer and TensorRT 10 or newer."
    )


def test_the_installed_runtime_reads_what_is_said_of_it() -> None:
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper

    newest = onnxruntime.__version__.rpartition(".")[0]
    said = next(item for item in READERS if item.runtime == f"ONNX Runtime {newest}")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:])
    for opset in (said.low, said.high):
        model = helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
        model.ir_version = 8
        onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("options", [{}, {"optimized": "extended"}, {"opset": 17}])
def test_large_weights_lie_beside_every_variant(
    options: dict[str, Any],
    exported: Artifact,
    plain: Artifact,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.onnxfile.PROTOBUF_LIMIT", 1000)
    found, _ = made_from(exported, tmp_path / "m", **options)
    assert found.path.is_dir()
    assert sum(item.stat().st_size for item in found.path.glob("*.data")) > 4 * 5000
    same(found, plain)


def test_an_operator_without_a_form_is_named_with_its_module(tmp_path: Path) -> None:
    import torch

    class Spectrum(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.eigvalsh(x)

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mixer = torch.nn.Sequential(torch.nn.ReLU(), Spectrum())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.mixer(x)

    spec = TensorSpec("x", "float32", (3, 3)), TensorSpec("y", "float32", (3,))
    torch.export.save(torch.export.export(Net(), (torch.eye(3),)), str(tmp_path / "odd.pt2"))
    source = models.artifact("exported", tmp_path / "odd.pt2", Signature(spec[:1], spec[1:]))
    with pytest.raises(UnsupportedModel, match=r"linalg_eig\S* \(in mixer\.1, a Spectrum\)"):
        made_from(source, tmp_path / "m")


def test_what_the_exporter_said_is_kept(exported: Artifact, tmp_path: Path) -> None:
    from engine.records import dump
    from engine.tasks import convert

    context = models.task_folder(tmp_path / "out")
    request = {"artifact": dump(exported), "target": "onnx", "options": {}, "change": None}
    result = convert.run(request, context)
    report = (context.out / "onnx" / registry.REPORT).read_text(encoding="utf-8")
    assert report.startswith("# torch.onnx (dynamo) 2.")
    assert "PyTorch ONNX Conversion Report" in report
    assert result["path"] == "onnx/model.onnx"
