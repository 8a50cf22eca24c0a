"""TensorRT engines on a stand-in as strict as three generations of it; see tests/fakes/.

What needs the real library and a GPU, and has not been run, is in docs/gpu-verification.md.
"""

from __future__ import annotations

import dataclasses
import json
import runpy
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from engine import registry
from engine.bench.measure import Subject, time_block
from engine.bench.model import Preset
from engine.errors import BadRequest, InvalidModel, MissingDependency, NoRoute, UnsupportedModel
from engine.graphs import viewable
from engine.knowledge import list_recipes
from engine.settings import settings
from engine.types import Artifact, RunnerOptions, Signature, TensorSpec
from engine.verify.inputs import feed
from engine.verify.model import Verdict
from tests import models
from tests.engine.formats.test_tensorrt_plan import net, quantized
from tests.fakes import cuda
from tests.fakes import tensorrt as fake

SHORT = Preset("short", 5, 0, 3, 0.0, 10, 0.0, 5.0, 0)


@pytest.fixture(params=fake.GENERATIONS)
def gpu(
    request: pytest.FixtureRequest, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[cuda.Gpu]:
    """A card with one generation of TensorRT; whatever was opened on it must be closed again."""
    found = fake.install(monkeypatch, request.param, tmp_path / "gpu")
    yield found
    assert found.contexts == [] and found.allocations == {}


@pytest.fixture
def newest(workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[cuda.Gpu]:
    """The same with TensorRT 11 alone, for what does not depend on the generation."""
    found = fake.install(monkeypatch, "11", tmp_path / "gpu")
    yield found
    assert found.contexts == [] and found.allocations == {}


def generation() -> str:
    import tensorrt

    return str(tensorrt.__version__).split(".")[0]


def head_of(made: Artifact) -> dict[str, Any]:
    """What the stand-in wrote at the head of its engine: how it was built."""
    data = (made.path / "model.engine").read_bytes()
    found: dict[str, Any] = json.loads(data[8 : 8 + int.from_bytes(data[4:8], "little")])
    return found


def built(source: Artifact, out: Path, **options: Any) -> tuple[Artifact, tuple[str, ...]]:
    """The engine, and the notes of its building."""
    spec = registry.format_named("tensorrt")
    convert = registry.edge(source.format, "tensorrt")
    made = convert(source, out, spec.options(**options))
    kept = models.artifact("tensorrt", out, made.signature)
    return dataclasses.replace(kept, variant=made.variant), made.step.notes


def test_an_engine_answers_as_its_graph_does(gpu: cuda.Gpu, tmp_path: Path) -> None:
    source = net(tmp_path)
    made, _ = built(source, tmp_path / "engine")
    assert registry.format_named("tensorrt").runs(made) == "TensorRT FP32"
    assert models.verified(source, made, tmp_path).verdict in (Verdict.EXACT, Verdict.EQUIVALENT)
    assert gpu.launches > 0
    assert registry.format_named("tensorrt").read_signature(made.path) == source.signature


def test_an_engine_is_timed_by_the_cards_clock_too(gpu: cuda.Gpu, tmp_path: Path) -> None:
    made, _ = built(net(tmp_path), tmp_path / "engine")
    feeds = (feed(made.signature, "random", 2, 1),)
    opened = partial(registry.open_runner, made, RunnerOptions())
    block = time_block(Subject("engine", "json", opened, feeds), SHORT, 0)
    assert block.gpu is not None and len(block.gpu.compute_ns) == len(block.samples_ns)
    assert all(on < whole for on, whole in zip(block.gpu.compute_ns, block.samples_ns, strict=True))


def test_an_engine_has_no_graph_to_look_at(newest: cuda.Gpu, tmp_path: Path) -> None:
    made, _ = built(net(tmp_path), tmp_path / "engine")
    assert "compiled and has no graph" in str(viewable(made))


def test_precision_is_the_graphs_and_flags_only_where_it_needs_them(
    gpu: cuda.Gpu, tmp_path: Path
) -> None:
    half, _ = built(net(tmp_path), tmp_path / "half", precision="fp16")
    int8, notes = built(quantized(tmp_path), tmp_path / "int8")
    weak = generation() == "8"
    assert (half.variant, head_of(half)["flags"]) == ("FP16", ["FP16"] if weak else [])
    assert (int8.variant, head_of(int8)["flags"]) == ("INT8", ["INT8"] if weak else [])
    assert any("2 of 2 convolutions and products run in INT8" in note for note in notes)
    for engine, source in ((half, net(tmp_path)), (int8, quantized(tmp_path))):
        assert models.verified(source, engine, tmp_path / engine.variant).verdict.usable


def test_what_stayed_float_is_found_in_the_engine_and_the_log(
    gpu: cuda.Gpu, tmp_path: Path
) -> None:
    extra = (("Max", ["r", "b"], ["m"], {"name": "largest"}),)
    made, notes = built(net(tmp_path, *extra), tmp_path / "engine", precision="fp16")
    assert "1 of 9 layers give FP32, not FP16: largest." in " ".join(notes)
    facts = registry.format_named("tensorrt").describe(made.path)[2]
    assert facts["Layers that stayed FP32"] == "largest"


@pytest.mark.parametrize("information", ["Layer(Convolution): conv", "[]", '{"Layers": ["conv"]}'])
def test_layers_that_are_not_listed_spoil_no_engine(
    newest: cuda.Gpu, information: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake.EngineInspector, "get_engine_information", lambda *_: information)
    made, notes = built(net(tmp_path), tmp_path / "engine", precision="fp16")
    assert "what stayed FP32 is not known" in " ".join(notes)
    assert models.infer(made, feed(made.signature, "random", 2, 0))["y"].shape == (2, 4)


def test_layer_normalisation_in_half_precision_is_warned_of(
    newest: cuda.Gpu, tmp_path: Path
) -> None:
    source = net(tmp_path, ("LayerNormalization", ["r", "b"], ["n"], {"name": "norm"}))
    _, notes = built(source, tmp_path / "engine", precision="fp16")
    assert any(note.startswith("Layer normalisation in FP16 may overflow") for note in notes)


def test_int64_is_int32_where_there_is_no_int64(gpu: cuda.Gpu, tmp_path: Path) -> None:
    source = looked_up(tmp_path)
    made, notes = built(source, tmp_path / "engine", lengths="sequence 1-8-32")
    given = {"ids": np.arange(6, dtype="int64").reshape(2, 3)}
    expected = models.infer(source, given)
    found = models.infer(made, given)
    for name in ("vectors", "same"):
        assert found[name].dtype == expected[name].dtype
        np.testing.assert_array_equal(found[name], expected[name])
    said = any("has no INT64 and takes INT32" in note for note in notes)
    assert said == (generation() == "8")


def looked_up(out: Path) -> Artifact:
    """Token ids with two dynamic axes to vectors, the ids coming back as well."""
    from onnx import TensorProto, helper, numpy_helper

    rows = np.random.default_rng(0).standard_normal((9, 4)).astype("float32")
    shape = ("batch", "sequence")
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "ids"], ["vectors"]),
            helper.make_node("Add", ["ids", "zero"], ["same"]),
        ],
        "lookup",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, shape)],
        [
            helper.make_tensor_value_info("vectors", TensorProto.FLOAT, (*shape, 4)),
            helper.make_tensor_value_info("same", TensorProto.INT64, shape),
        ],
        [numpy_helper.from_array(rows, "table"), numpy_helper.from_array(np.int64([0]), "zero")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    out.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(out / "lookup.onnx"))
    signature = Signature(
        (TensorSpec("ids", "int64", shape, 0, 9),),
        (TensorSpec("vectors", "float32", (*shape, 4)), TensorSpec("same", "int64", shape)),
    )
    return models.artifact("onnx", out / "lookup.onnx", signature)


def test_timings_are_kept_and_used_again(gpu: cuda.Gpu, tmp_path: Path) -> None:
    source = net(tmp_path)
    first, _ = built(source, tmp_path / "first")
    second, _ = built(source, tmp_path / "second")
    assert (head_of(first)["timings"], head_of(second)["timings"]) == (1, 2)
    (kept,) = (settings().data_dir / "tensorrt").iterdir()
    assert "sm9.0" in kept.name and kept.suffix == ".timing"
    kept.write_bytes(b"of another TensorRT")
    third, _ = built(source, tmp_path / "third")
    assert head_of(third)["timings"] == 1


def test_workspace_and_tf32_are_what_was_asked(gpu: cuda.Gpu, tmp_path: Path) -> None:
    plain, _ = built(net(tmp_path), tmp_path / "plain")
    asked, _ = built(net(tmp_path), tmp_path / "asked", tf32=True, workspace=64)
    assert (head_of(plain)["flags"], head_of(plain)["workspace"]) == ([], 4096 << 20)
    assert (head_of(asked)["flags"], head_of(asked)["workspace"]) == (["TF32"], 64 << 20)


def test_the_profile_is_kept_to(gpu: cuda.Gpu, tmp_path: Path) -> None:
    source = net(tmp_path)
    made, _ = built(source, tmp_path / "engine", max_batch=8)
    assert head_of(made)["shapes"] == {"x": [[1, 4], [8, 4], [8, 4]]}
    with registry.open_runner(made, models.RunnerOptions()) as runner:
        with pytest.raises(BadRequest, match=r"takes 'x' from \[1, 4\] to \[8, 4\].*\[9, 4\]"):
            runner.infer(feed(source.signature, "random", 9, 0))
        for batch in (8, 1, 3):  # smaller ones in memory that is there already
            given = feed(source.signature, "random", batch, batch)
            expected = models.infer(source, given)["y"]
            np.testing.assert_allclose(runner.infer(given)["y"], expected, rtol=1e-5, atol=1e-6)


def test_a_fixed_shape_needs_no_profile(gpu: cuda.Gpu, tmp_path: Path) -> None:
    source = models.onnx_model(tmp_path / "m.onnx", [("Relu", ["x"], ["y"])], shape=(2, 4))
    made, _ = built(source, tmp_path / "engine")
    assert head_of(made)["shapes"] == {}
    given = {"x": np.float32([[1, -1, 2, -2], [3, -3, 4, -4]])}
    np.testing.assert_array_equal(models.infer(made, given)["y"], np.maximum(given["x"], 0))


def test_an_answer_that_was_not_waited_for_would_be_found(
    newest: cuda.Gpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = net(tmp_path)
    made, _ = built(source, tmp_path / "engine")
    given = feed(source.signature, "random", 2, 0)
    expected = models.infer(source, given)["y"]
    np.testing.assert_allclose(models.infer(made, given)["y"], expected, rtol=1e-5, atol=1e-6)
    monkeypatch.setattr(cuda.Stream, "synchronize", lambda _: None)
    assert not np.allclose(models.infer(made, given)["y"], expected, equal_nan=True)


@pytest.mark.parametrize(
    ("place", "differs"),
    [
        ({"capability": "8.6"}, "compute capability 8.6, here 9.0"),
        ({"tensorrt": "10.0.1"}, "TensorRT 10.0.1, here 11.4.0.106"),
        ({"system": "Windows AMD64"}, "system Windows AMD64, here Linux"),
        ({"driver": "560.10"}, "driver 560.10 or newer, here 550.54.15"),
    ],
)
def test_elsewhere_it_is_refused_with_the_difference_and_the_command(
    newest: cuda.Gpu, place: dict[str, str], differs: str, tmp_path: Path
) -> None:
    made, _ = built(net(tmp_path), tmp_path / "engine", precision="fp16", max_batch=64)
    card = json.loads((made.path / "engine.json").read_text())
    card["built"] |= place
    (made.path / "engine.json").write_text(json.dumps(card))
    with pytest.raises(UnsupportedModel, match=differs) as caught:
        models.infer(made, feed(made.signature, "random", 1, 0))
    assert caught.value.hint.endswith("--to 'tensorrt:max_batch=64:precision=fp16'")


def test_a_newer_driver_and_a_sister_card_will_do(newest: cuda.Gpu, tmp_path: Path) -> None:
    made, _ = built(net(tmp_path), tmp_path / "engine")
    card = json.loads((made.path / "engine.json").read_text())
    card["built"] |= {"driver": "535.9", "gpu": "NVIDIA H200"}
    (made.path / "engine.json").write_text(json.dumps(card))
    assert models.infer(made, feed(made.signature, "random", 1, 0))["y"].shape == (1, 4)


@pytest.mark.parametrize("what", ["model.engine", "engine.json"])
def test_damaged_it_is_an_invalid_model(newest: cuda.Gpu, what: str, tmp_path: Path) -> None:
    made, _ = built(net(tmp_path), tmp_path / "engine")
    (made.path / what).write_text("no such thing")
    with pytest.raises(InvalidModel, match="Build"):
        models.infer(made, feed(made.signature, "random", 1, 0))


def test_a_prepared_graph_is_built_by_the_same_code(gpu: cuda.Gpu, tmp_path: Path) -> None:
    source = net(tmp_path)
    plan = models.converted(source, "tensorrt_plan", tmp_path / "plan", precision="fp16")
    made, _ = built(plan, tmp_path / "engine")
    straight, _ = built(source, tmp_path / "straight", precision="fp16")
    assert (made.variant, head_of(made)["flags"]) == ("FP16", head_of(straight)["flags"])
    wider, _ = built(plan, tmp_path / "wider", max_batch=128)
    assert head_of(wider)["shapes"]["x"][2] == [128, 4]
    with pytest.raises(UnsupportedModel, match="prepared in FP16; FP32 was asked"):
        built(plan, tmp_path / "other", precision="fp32")


def test_what_the_parser_refuses_is_named_with_its_node(
    gpu: cuda.Gpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = "engine.formats.tensorrt_plan.check.refuse_unsupported"
    monkeypatch.setattr(check, lambda *_: None)
    extra = (("Compress", ["r", "all"], ["e"], {"axis": 1, "name": "some"}),)
    source = net(tmp_path, ("Greater", ["b", "b"], ["all"]), *extra)
    with pytest.raises(UnsupportedModel, match="No importer registered for op: Compr") as caught:
        built(source, tmp_path / "engine")
    assert ("'some'" in caught.value.message) == (generation() != "8")


def test_an_output_whose_shape_depends_on_data_is_refused(newest: cuda.Gpu, tmp_path: Path) -> None:
    nodes = [("NonZero", ["x"], ["n"]), ("Cast", ["n"], ["y"], {"to": onnx.TensorProto.FLOAT})]
    source = models.onnx_model(tmp_path / "m.onnx", nodes)
    made, _ = built(source, tmp_path / "engine")
    with pytest.raises(UnsupportedModel, match="shape of the output 'y' depends on the data"):
        models.infer(made, {"x": np.ones((2, 4), "float32")})


def test_a_full_card_is_out_of_memory(newest: cuda.Gpu, tmp_path: Path) -> None:
    made, _ = built(net(tmp_path), tmp_path / "engine")
    newest.memory = 16
    with pytest.raises(MemoryError):
        models.infer(made, feed(made.signature, "random", 4, 0))


def test_without_a_gpu_it_says_so_and_what_can_be_done(
    newest: cuda.Gpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = built(net(tmp_path), tmp_path / "engine")
    (tmp_path / "gpu" / "driver").unlink()
    spec = registry.format_named("tensorrt")
    assert (spec.available, spec.lacks) == (False, "no NVIDIA GPU was found here")
    with pytest.raises(MissingDependency, match="no NVIDIA GPU was found") as caught:
        models.infer(made, feed(made.signature, "random", 1, 0))
    assert "tensorrt_plan" in caught.value.hint
    assert spec.describe(made.path)[2]["Built with"].startswith("TensorRT 11")


def test_the_packages_that_are_missing_are_named_with_their_line() -> None:
    spec = registry.format_named("tensorrt")
    if any(need.installed for need in spec.requires[1:3]):
        pytest.skip("this machine has TensorRT or PyCUDA")
    assert spec.lacks
    with pytest.raises(NoRoute, match=r"cannot be made here: .*; tensorrt is not installed; pyc"):
        registry.route("onnx", "tensorrt")
    assert set(spec.install_lines) <= {"pip install -r requirements-gpu.txt"}


@pytest.mark.parametrize("name", ["10", "11"])
def test_the_recipes_build_and_run(
    name: str, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = models.onnx_model(tmp_path / "m.onnx", [("Relu", ["x"], ["y"])], shape=("batch", 8))
    model = onnx.load(str(source.path))
    model.graph.input[0].name = model.graph.node[0].input[0] = "input"
    onnx.save(model, str(tmp_path / "model_fp16.onnx"))
    found = fake.install(monkeypatch, name, tmp_path / "gpu")
    found.initialised = True
    found.contexts.append(object())  # as TensorRT makes one for itself when it builds
    monkeypatch.chdir(tmp_path)
    recipes = {recipe.id: recipe for recipe in list_recipes()}
    for recipe in ("tensorrt-build", "tensorrt-run"):
        runpy.run_path(str(recipes[recipe].path))
    assert found.launches == 1 and found.allocations == {}
