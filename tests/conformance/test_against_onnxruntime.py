"""What ONNX's cases leave out: the same model and feed in ONNX Runtime and lowered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.conformance.worker import in_memory, signature_of

ML = "ai.onnx.ml"
Arrays = dict[str, np.ndarray]


def model_of(node: Any, feed: Arrays, outputs: int, opset: int, **constants: np.ndarray) -> Any:
    """A model of one node; what it gives is left to shape inference."""
    from onnx import helper, numpy_helper, shape_inference

    kinds = {np.dtype(np.float32): 1, np.dtype(np.int64): 7, np.dtype(np.uint8): 2}
    kinds |= {np.dtype(np.int32): 6, np.dtype(np.int8): 3, np.dtype(bool): 9}
    inputs = [
        helper.make_tensor_value_info(name, kinds[array.dtype], array.shape)
        for name, array in feed.items()
    ]
    graph = helper.make_graph(
        [node],
        "one",
        inputs,
        [helper.make_empty_tensor_value_info(name) for name in node.output[:outputs]],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(ML, 3)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=10)
    model = shape_inference.infer_shapes(model)
    for output in model.graph.output:  # Of ai.onnx.ml it infers little; there all is float32.
        tensor = output.type.tensor_type
        tensor.elem_type = tensor.elem_type or 1
    return model


def both(node: Any, feed: Arrays, opset: int = 17, **constants: np.ndarray) -> None:
    """Raises AssertionError unless both give the same."""
    import onnxruntime

    model = model_of(node, feed, len(node.output), opset, **constants)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    expected = session.run(None, feed)
    with in_memory(model, signature_of(model, feed)) as infer:
        found = infer(feed)
    for wanted, made in zip(expected, found, strict=True):
        assert made.dtype == wanted.dtype
        np.testing.assert_allclose(made, wanted, rtol=1e-4, atol=1e-5)


def node_of(operator: str, inputs: str, outputs: str = "y", **attributes: Any) -> Any:
    from onnx import helper

    return helper.make_node(operator, inputs.split(","), outputs.split(","), **attributes)


def made(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
LENGTHS = np.array([5, 2, 3], np.int32)


@pytest.mark.parametrize("operator", GATES)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_recurrent_nets(operator: str, direction: str) -> None:
    """Sequences of different lengths, biases and first states, in every direction."""
    ways, size, gates = (2 if direction == "bidirectional" else 1), 4, GATES[operator]
    feed = {"x": made(5, 3, 2), "lens": LENGTHS, "h": made(ways, 3, size, seed=1)}
    names, outputs = "x,w,r,b,lens,h", "y,last"
    if operator == "LSTM":
        feed["c"] = made(ways, 3, size, seed=2)
        names, outputs = f"{names},c", f"{outputs},cell"
    node = node_of(operator, names, outputs, hidden_size=size, direction=direction, clip=2.0)
    both(
        node,
        feed,
        w=made(ways, gates * size, 2, seed=3),
        r=made(ways, gates * size, size, seed=4),
        b=made(ways, 2 * gates * size, seed=5),
    )


def test_recurrent_nets_with_activations_of_their_own() -> None:
    node = node_of(
        "LSTM",
        "x,w,r",
        "y,last",
        hidden_size=3,
        activations=["HardSigmoid", "LeakyRelu", "Elu"],
        activation_alpha=[0.3, 0.2, 0.7],
        activation_beta=[0.4],
    )
    both(node, {"x": made(4, 2, 2)}, w=made(1, 12, 2, seed=1), r=made(1, 12, 3, seed=2))


def test_gru_that_resets_after_the_product() -> None:
    node = node_of("GRU", "x,w,r,b", "y,last", hidden_size=3, linear_before_reset=1)
    constants = {"w": made(1, 9, 2, seed=1), "r": made(1, 9, 3, seed=2), "b": made(1, 18, seed=3)}
    both(node, {"x": made(4, 2, 2)}, **constants)


ROIS = np.array([[0.5, 1.0, 7.2, 6.0], [2.0, 2.0, 3.0, 9.0], [1, 1, 1, 1]], np.float32)


@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("ratio", [0, 2])
def test_regions_sampled(mode: str, ratio: int) -> None:
    """With ``sampling_ratio`` 0 every region has a grid of its own."""
    node = node_of(
        "RoiAlign",
        "x,rois,at",
        output_height=3,
        output_width=2,
        sampling_ratio=ratio,
        spatial_scale=0.8,
        mode=mode,
        coordinate_transformation_mode="output_half_pixel",
    )
    feed = {"x": made(2, 3, 8, 9), "rois": ROIS, "at": np.array([0, 1, 1], np.int64)}
    both(node, feed)


def test_regions_pooled() -> None:
    rois = np.array([[0, 1, 1, 6, 7], [1, 0, 2, 3, 3], [1, 4, 4, 4, 4]], np.float32)
    node = node_of("MaxRoiPool", "x,rois", pooled_shape=[2, 3], spatial_scale=0.9)
    both(node, {"x": made(2, 3, 8, 9), "rois": rois})


def test_quantized_convolution_in_groups() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (1, 4, 6, 6), dtype=np.uint8)
    node = node_of(
        "QLinearConv", "x,xs,xz,w,ws,wz,ys,yz,b", group=2, pads=[1, 1, 1, 1], strides=[2, 2]
    )
    both(
        node,
        {"x": x},
        w=rng.integers(-127, 128, (6, 2, 3, 3), dtype=np.int8),
        xs=np.float32(0.02),
        xz=np.uint8(120),
        ws=np.linspace(0.01, 0.03, 6, dtype=np.float32),
        wz=np.zeros(6, np.int8),
        ys=np.float32(0.09),
        yz=np.uint8(100),
        b=rng.integers(-500, 500, 6, dtype=np.int32),
    )


TREES = {
    "nodes_treeids": [0, 0, 0, 1, 1, 1, 1, 1],
    "nodes_nodeids": [0, 1, 2, 0, 1, 2, 3, 4],
    "nodes_featureids": [0, 0, 0, 1, 0, 2, 0, 0],
    "nodes_values": [0.1, 0.0, 0.0, -0.3, 0.0, 0.5, 0.0, 0.0],
    "nodes_modes": ["BRANCH_LEQ", *["LEAF"] * 2, "BRANCH_LT", "LEAF", "BRANCH_GT", *["LEAF"] * 2],
    "nodes_truenodeids": [1, 0, 0, 1, 0, 3, 0, 0],
    "nodes_falsenodeids": [2, 0, 0, 2, 0, 4, 0, 0],
    "target_treeids": [0, 0, 0, 0, 1, 1, 1],
    "target_nodeids": [1, 1, 2, 2, 1, 3, 4],
    "target_ids": [0, 1, 0, 1, 1, 0, 1],
    "target_weights": [1.5, 0.5, -1.0, -2.0, 0.25, 3.0, 1.0],
}


@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE"])
def test_trees(aggregate: str) -> None:
    node = node_of(
        "TreeEnsembleRegressor",
        "x",
        domain=ML,
        n_targets=2,
        aggregate_function=aggregate,
        base_values=[0.5, -0.5],
        **TREES,
    )
    both(node, {"x": made(20, 3)})


CLASSICAL = [
    node_of("Scaler", "x", domain=ML, offset=[1.0, 2.0, 3.0], scale=[2.0, 1.0, 0.5]),
    *[node_of("Normalizer", "x", domain=ML, norm=norm) for norm in ("L1", "L2")],
    node_of("LinearRegressor", "x", domain=ML, targets=2, coefficients=[1.0, 2, 3, 4, 5, 6]),
    node_of(
        "LinearClassifier",
        "x",
        "label,scores",
        domain=ML,
        classlabels_ints=[4, 7, 9],
        coefficients=[1.0, 2, 3, -1, 0, 2, 0.5, 0.5, -2],
        intercepts=[0.1, 0.2, 0.3],
        post_transform="SOFTMAX",
    ),
]


@pytest.mark.parametrize("node", CLASSICAL, ids=lambda node: node.op_type)
def test_classical_models(node: Any) -> None:
    both(node, {"x": made(5, 3)})


def test_missing_values_filled_in() -> None:
    x = np.array([[1, np.nan, 3], [np.nan, 5, 6]], np.float32)
    node = node_of(
        "Imputer",
        "x",
        domain=ML,
        imputed_value_floats=[10.0, 20.0, 30.0],
        replaced_value_float=float("nan"),
    )
    both(node, {"x": x})


def test_random_numbers_have_the_distribution_that_was_asked() -> None:
    """Every call draws anew; the numbers themselves are the generator's own."""
    shape = [100, 100]
    normal = node_of("RandomNormal", "", mean=3.0, scale=2.0, shape=shape)
    del normal.input[:]
    model = model_of(normal, {}, 1, 17)
    with in_memory(model, signature_of(model, {})) as infer:
        first, second = infer({})[0], infer({})[0]
    assert first.shape == (100, 100)
    assert abs(first.mean() - 3) < 0.1
    assert abs(first.std() - 2) < 0.1
    assert not np.array_equal(first, second)
    chance = {"x": np.full((100, 100), 0.25, np.float32)}
    model = model_of(node_of("Bernoulli", "x"), chance, 1, 17)
    with in_memory(model, signature_of(model, chance)) as infer:
        drawn = infer(chance)[0]
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert abs(drawn.mean() - 0.25) < 0.03
