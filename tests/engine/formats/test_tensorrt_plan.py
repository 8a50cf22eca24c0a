"""Graphs prepared for TensorRT without a GPU: right, checked, and still ONNX."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from engine import registry
from engine.errors import BadRequest, InvalidModel, UnsupportedModel
from engine.files import files_of
from engine.nvidia import GraphOptions, generation, profile_for
from engine.sources import recognise
from engine.sources.detect import identify
from engine.sources.model import Wanted
from engine.types import Artifact, Signature, TensorSpec
from engine.verify.inputs import feed
from engine.verify.model import Verdict
from tests import models


def net(out: Path, *extra: tuple[Any, ...]) -> Artifact:
    """Two products with biases, and what else is asked for between them."""
    generator = np.random.default_rng(3)

    def weights(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape).astype("float32") * 0.3

    constants = {"a": weights(4, 8), "b": weights(8), "c": weights(8, 4), "d": weights(4)}
    last = extra[-1][2][0] if extra else "r"
    nodes = [
        ("Gemm", ["x", "a", "b"], ["g"], {"name": "first"}),
        ("Relu", ["g"], ["r"], {"name": "act"}),
        *extra,
        ("Gemm", [last, "c", "d"], ["y"], {"name": "last"}),
    ]
    return models.onnx_model(out / "net.onnx", nodes, constants)


def quantized(out: Path, *, symmetric: bool = True) -> Artifact:
    """The net with Q/DQ pairs, as ONNX Runtime's static quantization writes them."""
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    source = net(out)

    class Samples(CalibrationDataReader):
        def __init__(self) -> None:
            self.left = [feed(source.signature, "random", 4, seed) for seed in range(4)]

        def get_next(self) -> dict[str, np.ndarray] | None:
            return self.left.pop() if self.left else None

    kind = QuantType.QInt8 if symmetric else QuantType.QUInt8
    quantize_static(
        str(source.path),
        str(out / "int8.onnx"),
        Samples(),
        activation_type=kind,
        weight_type=QuantType.QInt8,
        extra_options={"ActivationSymmetric": symmetric, "WeightSymmetric": True},
    )
    return models.artifact("onnx", out / "int8.onnx", source.signature)


def plan_of(made: Artifact) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((made.path / "tensorrt.json").read_text())
    return found


def test_it_is_verified_as_onnx_and_never_called_tensorrt(tmp_path: Path) -> None:
    source = net(tmp_path)
    made = models.converted(source, "tensorrt_plan", tmp_path / "plan")
    assert models.verified(source, made, tmp_path).verdict in (Verdict.EXACT, Verdict.EQUIVALENT)
    named = registry.format_named("tensorrt_plan").runs(made)
    assert named.startswith("ONNX Runtime") and "TensorRT" not in named
    plan = plan_of(made)
    assert (plan["precision"], plan["opset"], plan["tensorrt"]) == ("FP32", 20, "11")
    assert plan["profile"]["x"] == {"min": [1, 4], "opt": [8, 4], "max": [32, 4]}
    assert plan["commands"]["assay"].endswith("--model model.prepared.zip --to tensorrt")


@pytest.mark.parametrize(
    ("version", "opset", "flags"),
    [("11", 20, ""), ("10", 20, " --stronglyTyped"), ("8.5", 17, " --fp16")],
)
def test_half_precision_is_in_the_graph(
    version: str, opset: int, flags: str, tmp_path: Path
) -> None:
    source = net(tmp_path)
    made = models.converted(
        source, "tensorrt_plan", tmp_path / "plan", precision="fp16", version=version, max_batch=16
    )
    model = onnx.load(str(made.path / "model.onnx"))
    assert {item.data_type for item in model.graph.initializer} == {onnx.TensorProto.FLOAT16}
    ends = (*model.graph.input, *model.graph.output)
    assert {end.type.tensor_type.elem_type for end in ends} == {onnx.TensorProto.FLOAT}
    assert [item.version for item in model.opset_import if not item.domain] == [opset]
    assert models.verified(source, made, tmp_path).verdict.usable
    assert plan_of(made)["commands"]["trtexec"] == (
        f"trtexec --onnx=model.onnx --saveEngine=model.engine{flags} "
        "--minShapes=x:1x4 --optShapes=x:8x4 --maxShapes=x:16x4"
    )


def test_what_half_precision_loses_is_said(tmp_path: Path) -> None:
    source = models.onnx_model(
        tmp_path / "m.onnx",
        [("Mul", ["x", "k"], ["m"]), ("Max", ["m", "k"], ["y"])],
        {"k": np.float32([1e6, 1e-9, 1.0, 2.0])},
    )
    spec = registry.format_named("tensorrt_plan")
    convert = registry.edge("onnx", "tensorrt_plan")
    made = convert(source, tmp_path / "p", spec.options(precision="fp16"))
    notes = " ".join(made.step.notes)
    assert "Larger than FP16 holds, and now ±65504: 1 constant values." in notes
    assert "Smaller than FP16 holds, and now ±5.96e-08: 1 constant values." in notes
    assert "stay FP32, with casts around them: Max (1×)." in notes
    assert made.variant == "FP16"


def test_int8_without_ranges_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="range of every activation") as caught:
        models.converted(net(tmp_path), "tensorrt_plan", tmp_path / "p", precision="int8")
    assert "onnx-quantize-static" in caught.value.hint and "still to come" in caught.value.hint


@pytest.mark.parametrize("precision", ["graph", "int8"])
def test_a_quantized_graph_is_int8_and_its_biases_float(precision: str, tmp_path: Path) -> None:
    source = quantized(tmp_path)
    made = models.converted(source, "tensorrt_plan", tmp_path / "plan", precision=precision)
    plan = plan_of(made)
    assert plan["precision"] == "INT8"
    assert "2 of 2 convolutions and products run in INT8." in plan["notes"]
    assert any("dequantizes no INT32: " in note for note in plan["notes"])
    kinds = {i.data_type for i in onnx.load(str(made.path / "model.onnx")).graph.initializer}
    assert onnx.TensorProto.INT32 not in kinds
    given = feed(source.signature, "random", 5, 9)
    expected, found = models.infer(source, given)["y"], models.infer(made, given)["y"]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_quantized_graph_has_no_other_precision(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="INT8 already; its FP16 values are gone"):
        models.converted(quantized(tmp_path), "tensorrt_plan", tmp_path / "p", precision="fp16")


def test_asymmetric_pairs_are_refused_and_counted(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=r"zero point 0; \d+ of the Q/DQ nodes") as caught:
        models.converted(quantized(tmp_path, symmetric=False), "tensorrt_plan", tmp_path / "p")
    assert "ActivationSymmetric" in caught.value.hint


@pytest.mark.parametrize(
    ("extra", "version", "named"),
    [
        (("Bernoulli", ["r"], ["e"], {"name": "dice"}), "11", r"no Bernoulli \(1×, first at 'dice"),
        (("Odd", ["r"], ["e"], {"domain": "our.own"}), "11", r"our\.own\.Odd"),
        (("LayerNormalization", ["r", "b"], ["e"]), "8.5", "TensorRT 8.5 has no LayerNorm"),
    ],
)
def test_operators_tensorrt_lacks_are_named(
    extra: tuple[Any, ...], version: str, named: str, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedModel, match=named):
        models.converted(net(tmp_path, extra), "tensorrt_plan", tmp_path / "p", version=version)


def test_an_opset_it_does_not_read_is_refused_with_the_one_it_does(tmp_path: Path) -> None:
    source = net(tmp_path, ("Gelu", ["r"], ["e"], {"name": "soft"}))
    with pytest.raises(UnsupportedModel, match=r"TensorRT 8\.5 reads opsets 7 to 17") as caught:
        models.converted(source, "tensorrt_plan", tmp_path / "p", version="8.5")
    assert "opset=17" in caught.value.hint


def test_what_it_takes_with_limits_or_wants_constant_is_noted(tmp_path: Path) -> None:
    extra = (
        ("LayerNormalization", ["r", "b"], ["n"]),
        ("Shape", ["r"], ["s"]),
        ("Slice", ["s", "zero", "one_"], ["t"]),
        ("ReduceSum", ["n", "t"], ["e"], {"keepdims": 1, "name": "sum"}),
    )
    source = net(tmp_path, *extra)
    model = onnx.load(str(source.path))
    for name, value in (("zero", [1]), ("one_", [2])):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(value), name))
    onnx.save(model, str(source.path))
    convert = registry.edge("onnx", "tensorrt_plan")
    made = convert(source, tmp_path / "p", registry.format_named("tensorrt_plan").options())
    notes = " ".join(made.step.notes)
    assert "LayerNormalization (only its first output)" in notes
    assert "ReduceSum 'sum': input 't' must be known when the engine is built" in notes


def test_the_operator_table_names_operators_there_are() -> None:
    path = Path(registry.__file__).parent / "formats" / "tensorrt_plan" / "operators.json"
    table = json.loads(path.read_text())
    parsers_own = {"ImageScaler", "ParametricSoftplus", "ScaledTanh"}
    unknown = [name for name in table["operators"] if not onnx.defs.has(name)]
    assert set(unknown) <= parsers_own
    assert set(table["limits"]) | set(table["constant_inputs"]) <= set(table["operators"])
    assert set(table["operators"].values()) == {"8.5", "10", None}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (GraphOptions(opt_batch=64), "must grow from 1 up"),
        (GraphOptions(lengths="width 1-2-3"), "is not a size of a dynamic axis"),
        (GraphOptions(lengths="sequence 1-2"), "is not a size of a dynamic axis"),
    ],
)
def test_impossible_shapes_are_refused(options: GraphOptions, message: str) -> None:
    signature = Signature((TensorSpec("ids", "int64", ("batch", "sequence")),))
    with pytest.raises(BadRequest, match=message):
        profile_for(signature, options)


def test_every_dynamic_axis_gets_its_sizes() -> None:
    signature = Signature(
        (TensorSpec("ids", "int64", ("batch", "sequence")), TensorSpec("fixed", "float32", (3,)))
    )
    found = profile_for(signature, GraphOptions(lengths="sequence 1-64-512"))
    assert (found["ids"].min, found["ids"].opt, found["ids"].max) == ((1, 1), (8, 64), (32, 512))
    assert found["fixed"].min == found["fixed"].max == (3,)
    assert profile_for(signature, GraphOptions())["ids"].max == (32, 128)


@pytest.mark.parametrize(
    ("version", "spoken"),
    [
        ("8.5.3.1", "8.5"),
        ("8.6.1", "8.5"),
        ("10.13.0.35", "10"),
        ("11.4.0.106", "11"),
        ("12", "11"),
    ],
)
def test_a_version_speaks_one_of_three_generations(version: str, spoken: str) -> None:
    assert generation(version) == spoken


def test_too_old_a_tensorrt_is_refused() -> None:
    with pytest.raises(BadRequest, match=r"8\.4\.1 is too old"):
        generation("8.4.1")


def test_graph_and_plan_belong_together(tmp_path: Path) -> None:
    made = models.converted(net(tmp_path), "tensorrt_plan", tmp_path / "plan")
    load = registry.format_named("tensorrt_plan").load
    plan = made.path / "tensorrt.json"
    kept = plan.read_text()
    plan.write_text(kept.replace('"schema": 1', '"schema": 2'))
    with pytest.raises(InvalidModel, match="schema 2; this Assay reads 1"):
        load(made.path)
    plan.write_text(kept)
    with (made.path / "model.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(InvalidModel, match="sha256 differs"):
        load(made.path)


def test_the_zip_is_brought_to_the_gpu_host_as_what_it_is(tmp_path: Path) -> None:
    source = net(tmp_path)
    made = models.converted(source, "tensorrt_plan", tmp_path / "plan", precision="fp16")
    with zipfile.ZipFile(tmp_path / "model.prepared.zip", "w") as target:
        for item in files_of(made.path):
            target.write(item, f"model/{item.name}")
    found = identify(tmp_path / "model.prepared.zip")
    assert found.kind == "tensorrt_plan"
    out = tmp_path / "out"
    out.mkdir()
    brought = recognise(found, Wanted(), out, lambda *_: None)
    assert (brought.format, brought.signature_origin) == ("tensorrt_plan", "carried")
    assert brought.facts["Prepared for"] == "TensorRT 11"
    again = models.artifact("tensorrt_plan", brought.path, brought.signature)
    given = feed(made.signature, "random", 3, 1)
    np.testing.assert_array_equal(models.infer(again, given)["y"], models.infer(made, given)["y"])
