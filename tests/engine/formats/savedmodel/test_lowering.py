"""What the lowering promises beyond single operators: names, shapes, refusals, weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper

from engine import registry
from engine.errors import BadRequest, UnsupportedModel
from engine.formats.savedmodel import artifact as saved
from engine.formats.savedmodel.building import build
from engine.types import Artifact, RunnerOptions, Signature, TensorSpec
from tests import models

RNG = np.random.default_rng(0)


def lowered(model: Artifact, tmp_path: Path) -> Artifact:
    return models.converted(model, "savedmodel", tmp_path / "made")


def served(model: Artifact, signature: Signature | None = None) -> tf.types.experimental.Callable:
    return build(registry.load(model), signature or model.signature).serve


def test_an_operator_that_stops_the_model_is_named_with_its_nodes(tmp_path: Path) -> None:
    made = models.onnx_model(
        tmp_path / "m.onnx",
        [
            ("Relu", ["x"], ["a"]),
            ("StringNormalizer", ["a"], ["b"], {"name": "first"}),
            ("StringNormalizer", ["b"], ["c"], {"name": "second"}),
            ("RegexFullMatch", ["c"], ["y"], {"name": "third"}),
        ],
    )
    with pytest.raises(UnsupportedModel, match=r"2 of this model's operators") as refused:
        lowered(made, tmp_path)
    for name in ("StringNormalizer ('first', 'second')", "RegexFullMatch ('third')"):
        assert name in refused.value.message


def test_an_operator_inside_a_branch_is_found_before_anything_is_lowered(tmp_path: Path) -> None:
    def branch(name: str, operator: str) -> onnx.GraphProto:
        node = helper.make_node(operator, ["x"], [name], name=f"node_{name}")
        value = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        return helper.make_graph([node], name, [], [value])

    branches = {"then_branch": branch("p", "Relu"), "else_branch": branch("q", "RegexFullMatch")}
    made = models.onnx_model(
        tmp_path / "m.onnx",
        [("If", ["c"], ["y"], branches)],
        {"c": np.asarray(True)},
    )
    with pytest.raises(UnsupportedModel, match=r"RegexFullMatch .'node_q'"):
        lowered(made, tmp_path)


def test_names_that_tensorflow_cannot_use_come_back(tmp_path: Path) -> None:
    names = ["input.1", "input/1", "1:x"]
    graph = helper.make_graph(
        [helper.make_node("Sum", names, ["out::0"])],
        "named",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ("batch", 2)) for name in names],
        [helper.make_tensor_value_info("out::0", TensorProto.FLOAT, ("batch", 2))],
    )
    path = tmp_path / "m.onnx"
    imports = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=10), str(path))
    read = registry.format_named("onnx").read_signature
    assert read is not None
    made = lowered(models.artifact("onnx", path, read(path)), tmp_path)
    given = {name: RNG.random((3, 2), np.float32) for name in names}
    assert saved.read_signature(made.path) == made.signature
    found = models.infer(made, given)
    np.testing.assert_allclose(found["out::0"], sum(given.values()), rtol=1e-6)
    with pytest.raises(BadRequest, match=r"input\.1"):
        models.infer(made, {"input_1": given["input.1"]})


def test_static_sizes_stay_static_through_shape_arithmetic(tmp_path: Path) -> None:
    """Shape → Gather → Concat → Reshape: only the batch is open afterwards."""
    made = models.onnx_model(
        tmp_path / "m.onnx",
        [
            ("Shape", ["x"], ["s"]),
            ("Gather", ["s", "zero"], ["n"]),
            ("Gather", ["s", "one"], ["c"]),
            ("Div", ["c", "two"], ["half"]),
            ("Unsqueeze", ["n", "axis"], ["n1"]),
            ("Unsqueeze", ["half", "axis"], ["h1"]),
            ("Concat", ["n1", "two1", "h1"], ["shape"], {"axis": 0}),
            ("Reshape", ["x", "shape"], ["y"]),
        ],
        {
            "zero": np.asarray(0),
            "one": np.asarray(1),
            "two": np.asarray(2),
            "axis": np.asarray([0]),
            "two1": np.asarray([2]),
        },
        shape=("batch", 6),
    )
    signature = Signature(made.signature.inputs, (TensorSpec("y", "float32", ("batch", 2, 3)),))
    serve = served(made, signature)
    assert serve.structured_outputs["y"].shape.as_list() == [None, 2, 3]
    kinds = {item.type for item in serve.graph.get_operations()}
    assert not kinds & {"GatherV2", "ConcatV2", "Pack"}
    given = np.arange(24, dtype=np.float32).reshape(4, 6)
    np.testing.assert_array_equal(serve(tf.constant(given))["y"], given.reshape(4, 2, 3))


def test_a_weight_used_twice_is_stored_once(tmp_path: Path) -> None:
    weight = RNG.random((16, 16)).astype(np.float32)
    made = models.onnx_model(
        tmp_path / "m.onnx",
        [("MatMul", ["x", "w"], ["a"]), ("MatMul", ["a", "w"], ["y"])],
        {"w": weight},
        shape=("batch", 16),
    )
    result = lowered(made, tmp_path)
    stored = tf.train.list_variables(str(result.path / "1" / "variables" / "variables"))
    assert [shape for _, shape in stored if len(shape) == 2] == [[16, 16]]
    given = RNG.random((3, 16)).astype(np.float32)
    np.testing.assert_allclose(
        models.infer(result, {"x": given})["y"], given @ weight @ weight, rtol=1e-4
    )


def test_a_function_of_the_model_is_lowered_with_its_attributes(tmp_path: Path) -> None:
    scaled = helper.make_function(
        "own",
        "Scaled",
        ["a"],
        ["b"],
        [_referring("LeakyRelu", ["a"], ["b"], "alpha", "slope")],
        [helper.make_opsetid("", 20)],
        ["slope"],
    )
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Scaled", ["x"], ["y"], domain="own", slope=0.5)],
        "g",
        [value("x", TensorProto.FLOAT, ("batch", 4))],
        [value("y", TensorProto.FLOAT, ("batch", 4))],
    )
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("own", 1)]
    path = tmp_path / "m.onnx"
    model = helper.make_model(graph, opset_imports=imports, ir_version=10, functions=[scaled])
    onnx.save(model, str(path))
    spec = TensorSpec("x", "float32", ("batch", 4)), TensorSpec("y", "float32", ("batch", 4))
    made = lowered(models.artifact("onnx", path, Signature(spec[:1], spec[1:])), tmp_path)
    given = np.asarray([[-2, -1, 0, 1]], np.float32)
    np.testing.assert_allclose(models.infer(made, {"x": given})["y"], [[-1, -0.5, 0, 1]])


def _referring(operator: str, inputs: list[str], outputs: list[str], name: str, to: str):
    node = helper.make_node(operator, inputs, outputs)
    attribute = onnx.AttributeProto(name=name, type=onnx.AttributeProto.FLOAT, ref_attr_name=to)
    node.attribute.append(attribute)
    return node


def test_a_resize_follows_an_open_size(tmp_path: Path) -> None:
    """Twice as large, cubic: TensorFlow has no kernel for it, and the size is open."""
    made = models.onnx_model(
        tmp_path / "m.onnx",
        [("Resize", ["x", "", "scales"], ["y"], {"mode": "cubic"})],
        {"scales": np.asarray([1, 1, 2, 2], np.float32)},
        shape=("batch", 2, "height", 4),
    )
    signature = Signature(
        made.signature.inputs, (TensorSpec("y", "float32", ("batch", 2, "double", 8)),)
    )
    made = models.artifact("onnx", made.path, signature)
    result = lowered(made, tmp_path)
    for height in (3, 5):
        given = {"x": RNG.random((2, 2, height, 4)).astype(np.float32)}
        wanted, found = models.infer(made, given), models.infer(result, given)
        assert found["y"].shape == (2, 2, 2 * height, 8)
        np.testing.assert_allclose(found["y"], wanted["y"], rtol=1e-4, atol=1e-5)


def test_the_folder_is_what_tensorflow_serving_takes(tmp_path: Path) -> None:
    weight = RNG.random((4, 4)).astype(np.float32)
    made = models.onnx_model(tmp_path / "m.onnx", [("MatMul", ["x", "w"], ["y"])], {"w": weight})
    result = lowered(made, tmp_path)
    assert [item.name for item in result.path.iterdir()] == ["1"]
    plain = tf.saved_model.load(str(result.path / "1")).signatures["serving_default"]
    given = RNG.random((2, 4)).astype(np.float32)
    np.testing.assert_allclose(plain(x=tf.constant(given))["y"], given @ weight, rtol=1e-5)
    inner = models.artifact("savedmodel", result.path / "1", result.signature)
    with registry.open_runner(inner, RunnerOptions()) as runner:
        np.testing.assert_allclose(runner.infer({"x": given})["y"], given @ weight, rtol=1e-5)


def test_training_dropout_is_refused_by_name(tmp_path: Path) -> None:
    made = models.onnx_model(
        tmp_path / "m.onnx",
        [("Dropout", ["x", "ratio", "training"], ["y"], {"name": "drop"})],
        {"ratio": np.asarray(0.5, np.float32), "training": np.asarray(True)},
    )
    with pytest.raises(UnsupportedModel, match=r"Dropout.*'drop'.*random"):
        lowered(made, tmp_path)


def test_constants_of_every_size_keep_their_values() -> None:
    """Small ones lie in the graph, large ones in variables; both give what they hold."""
    arrays = {"few": RNG.random((1, 8)).astype(np.float32), "many": RNG.random((1, 256))}
    for name, array in arrays.items():
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        graph = helper.make_graph(
            [helper.make_node("Add", ["x", "c"], ["y"])],
            "g",
            [helper.make_tensor_value_info("x", kind, ("batch", array.shape[1]))],
            [helper.make_tensor_value_info("y", kind, ("batch", array.shape[1]))],
            [numpy_helper.from_array(array, "c")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
        spec = TensorSpec("x", str(array.dtype), ("batch", array.shape[1]))
        built = build(model, Signature((spec,), (TensorSpec("y", spec.dtype, spec.shape),)))
        assert len(built.module.weights) == (name == "many")
        found = built.serve(tf.constant(np.zeros_like(array)))["y"]
        np.testing.assert_array_equal(found, array)
