"""From TensorFlow to ONNX: names, order and axes stay; what ONNX cannot say is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import registry
from engine.errors import ConversionError, UnsupportedModel
from engine.types import Artifact
from engine.verify.inputs import feed
from tests import models

Made = tuple[Any, list[Any]]
"""A function from tensors to a dict of them, and its input specs."""


def saved(folder: Path, build: Callable[[Any], Made]) -> Artifact:
    """A SavedModel of one function; ``build`` gets a module to hang variables on."""
    import tensorflow as tf

    module = tf.Module()
    function, specs = build(module)
    module.function = tf.function(function, input_signature=specs)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.function})
    read = registry.format_named("savedmodel").read_signature
    assert read is not None
    return models.artifact("savedmodel", folder, read(folder))


def image_net(module: Any) -> Made:
    import tensorflow as tf

    stream = np.random.default_rng(0)
    module.kernel = tf.Variable(stream.standard_normal((3, 3, 3, 4)).astype("float32"))

    def run(image: Any) -> dict[str, Any]:
        made = tf.nn.relu(tf.nn.conv2d(image, module.kernel, 2, "SAME"))
        scores = tf.reduce_mean(made, [1, 2])
        return {"scores": scores, "best": tf.argmax(scores, 1)}

    return run, [tf.TensorSpec([None, None, None, 3], tf.float32, name="image")]


def unused_and_out_of_order(module: Any) -> Made:
    import tensorflow as tf

    def run(z: Any, a: Any, m: Any) -> dict[str, Any]:
        return {"same": z, "half": m / 2.0}

    names = ("z", "a", "m")
    return run, [tf.TensorSpec([None, 2], tf.float32, name=name) for name in names]


def branches_and_loops(module: Any) -> Made:
    import tensorflow as tf

    module.step = tf.Variable(0.5)

    def run(x: Any) -> dict[str, Any]:
        def body(i: Any, value: Any) -> Any:
            return i + 1, value * 0.5 + module.step

        doubled = tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2.0, lambda: x - 1.0)
        _, looped = tf.while_loop(lambda i, _: i < 4, body, (0, doubled))
        return {"y": looped}

    return run, [tf.TensorSpec([None, 3], tf.float32, name="x")]


def compiled_by_xla(module: Any) -> Made:
    """As Keras has its grouped convolutions."""
    import tensorflow as tf

    stream = np.random.default_rng(0)
    module.kernel = tf.Variable(stream.standard_normal((3, 3, 2, 8)).astype("float32"))

    @tf.function(jit_compile=True)
    def grouped(image: Any) -> Any:
        return tf.nn.conv2d(image, module.kernel, 1, "SAME")

    def run(image: Any) -> dict[str, Any]:
        return {"y": grouped(image)}

    return run, [tf.TensorSpec([None, 9, 9, 4], tf.float32, name="image")]


def exact_gelu(module: Any) -> Made:
    """As Keras writes it."""
    import tensorflow as tf

    def run(x: Any) -> dict[str, Any]:
        return {"y": tf.nn.gelu(x), "keras": 0.5 * x * tf.math.erfc(-x * 0.7071067811865476)}

    return run, [tf.TensorSpec([None, 40], tf.float32, name="x")]


BUILT = [
    image_net,
    unused_and_out_of_order,
    branches_and_loops,
    compiled_by_xla,
    exact_gelu,
]


@pytest.mark.parametrize("build", BUILT)
def test_answers_names_order_and_axes_stay(tmp_path: Path, build: Callable[[Any], Made]) -> None:
    original = saved(tmp_path / "saved", build)
    made = models.converted(original, "onnx", tmp_path / "onnx")
    read = registry.format_named("onnx").read_signature
    assert read is not None
    assert read(made.path) == original.signature == made.signature
    for batch in (1, 2, 5):
        given = feed(original.signature, "random", batch, 0)
        wanted, found = models.infer(original, given), models.infer(made, given)
        assert list(found) == list(wanted)
        for name, array in wanted.items():
            assert found[name].dtype == array.dtype
            np.testing.assert_allclose(found[name], array, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("asked", "opset"), [(13, 13), (18, 18), (20, 20), (21, 21)])
def test_the_opset_asked_for(tmp_path: Path, asked: int, opset: int) -> None:
    import onnx

    from engine.formats.onnx.options import OnnxOptions

    original = saved(tmp_path / "saved", image_net)
    path = tmp_path / "net.onnx"
    made = registry.edge("savedmodel", "onnx")(original, path, OnnxOptions(opset=asked))
    assert onnx.load(path).opset_import[0].version == opset == made.step.options["opset"]
    moved = any("moved to" in note for note in made.step.notes)
    assert moved == (asked > 18)


def no_form(module: Any) -> Made:
    import tensorflow as tf

    def run(x: Any) -> dict[str, Any]:
        return {"y": tf.math.bessel_i0e(tf.math.lgamma(x, name="here"))}

    return run, [tf.TensorSpec([None, 3], tf.float32, name="x")]


def table_of_numbers(module: Any) -> Made:
    import tensorflow as tf

    pairs = tf.lookup.KeyValueTensorInitializer([1, 2], [3, 4])
    module.table = tf.lookup.StaticHashTable(pairs, -1)

    def run(ids: Any) -> dict[str, Any]:
        return {"y": module.table.lookup(ids)}

    return run, [tf.TensorSpec([None], tf.int32, name="ids")]


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (no_form, r"2 of this model's TensorFlow operators: Lgamma \('.*here'\); BesselI0e"),
        (table_of_numbers, "tables of type string<->int64"),
    ],
)
def test_what_onnx_cannot_say_is_named(
    tmp_path: Path, build: Callable[[Any], Made], said: str
) -> None:
    with pytest.raises((UnsupportedModel, ConversionError), match=said) as caught:
        models.converted(saved(tmp_path / "saved", build), "onnx", tmp_path / "onnx")
    assert "SavedModel" in caught.value.hint
