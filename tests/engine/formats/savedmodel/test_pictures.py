"""The signature for pictures, held against the same steps in numpy and against Pillow."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine import registry
from engine.errors import BadRequest, UnsupportedModel
from engine.formats.savedmodel.options import SavedModelOptions
from engine.types import Artifact
from tests import models

SCALES = {
    "imagenet": (255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    "unit": (255, 0, 1),
    "symmetric": (127.5, 1, 1),
    "raw": (1, 0, 1),
}


def resized(picture: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Bilinear, every source pixel counted when shrinking; float64 [height, width, channels]."""
    for axis, target in enumerate(size):
        source = picture.shape[axis]
        step = source / target
        middle = (np.arange(target)[:, None] + 0.5) * step
        distance = np.abs(np.arange(source)[None, :] + 0.5 - middle) / max(step, 1.0)
        weights = np.maximum(0.0, 1.0 - distance)
        weights /= weights.sum(1, keepdims=True)
        picture = np.moveaxis(np.tensordot(weights, picture, (1, axis)), 0, axis)
    return picture


def prepared(picture: np.ndarray, size: tuple[int, int], scale: str, fit: str) -> np.ndarray:
    """What the signature should do before the model, said once more in numpy."""
    values = picture.astype(np.float64)
    if fit == "crop":
        frame = np.array([round(side * 8 / 7) for side in size])
        sides = np.array(values.shape[:2])
        wanted = np.maximum(np.round(sides * (frame / sides).max()).astype(int), size)
        top, left = (wanted - size) // 2
        values = resized(values, wanted)[top : top + size[0], left : left + size[1]]
    else:
        values = resized(values, size)
    by, mean, deviation = SCALES[scale]
    return (values / by - np.asarray(mean)) / np.asarray(deviation)


def net(path: Path) -> Artifact:
    """An ONNX model [batch, 3, 16, 12] → [batch, 6]: pooled, then a seeded matrix."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(3).standard_normal((36, 6)).astype("float32")
    nodes = [
        helper.make_node("AveragePool", ["image"], ["pooled"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 16, 12])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 6])],
        [numpy_helper.from_array(weights, "weights")],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path
    )
    read = registry.format_named("onnx").read_signature
    assert read is not None
    return models.artifact("onnx", path, read(path))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return net(tmp_path_factory.mktemp("net") / "net.onnx")


def made(source: Artifact, out: Path, **options: Any) -> Path:
    """The folder that TensorFlow loads."""
    converter = registry.edge(source.format, "savedmodel")
    converter(source, out, SavedModelOptions(**options))
    return out / "1"


def photo(height: int, width: int, seed: int) -> np.ndarray:
    """Smooth, with an edge: what a picture is like, as uint8."""
    rows, columns = np.mgrid[0:height, 0:width] / max(height, width)
    waves = np.random.default_rng(seed).uniform(2, 9, (3, 2))
    picture = np.stack([np.sin(a * rows + b * columns) for a, b in waves], -1)
    picture[height // 3 :, width // 2 :] *= -0.7
    return np.asarray((picture + 1) * 127.5, "uint8")


def encoded(picture: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind, quality=95)
    return buffer.getvalue()


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def expected(source: Artifact, pictures: Sequence[np.ndarray], scale: str, fit: str) -> np.ndarray:
    """Numpy's preparation, then the ONNX model in ONNX Runtime."""
    ready = np.stack([prepared(picture, (16, 12), scale, fit) for picture in pictures])
    return models.infer(source, {"image": ready.transpose(0, 3, 1, 2).astype("float32")})["logits"]


@pytest.mark.parametrize(
    ("scale", "fit"),
    [("imagenet", "crop"), ("unit", "stretch"), ("symmetric", "crop"), ("raw", "stretch")],
)
def test_several_pictures_of_several_sizes_at_once(
    source: Artifact, tmp_path: Path, scale: str, fit: str
) -> None:
    import tensorflow as tf

    folder = made(source, tmp_path / "net", pictures=scale, fit=fit, scores="given", top=6)
    model = tf.saved_model.load(str(folder))
    pictures = [photo(40, 60, 0), photo(64, 20, 1), photo(16, 12, 2), photo(7, 9, 3)]
    found = model.signatures["pictures"](image_bytes=tf.constant(list(map(encoded, pictures))))
    wanted = expected(source, pictures, scale, fit)
    order = np.argsort(-wanted, axis=1)
    np.testing.assert_array_equal(found["classes"].numpy(), order)
    np.testing.assert_allclose(
        found["scores"].numpy(), np.take_along_axis(wanted, order, 1), rtol=1e-3, atol=2e-3
    )


def test_a_jpeg_is_decoded_as_pillow_decodes_it(source: Artifact, tmp_path: Path) -> None:
    import tensorflow as tf

    data = encoded(photo(90, 70, 5), "JPEG")
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    folder = made(source, tmp_path / "net", pictures="unit", top=2)
    found = tf.saved_model.load(str(folder)).signatures["pictures"](tf.constant([data]))
    wanted = softmax(expected(source, [pixels], "unit", "crop"))[0]
    best = np.argsort(-wanted)[:2]
    np.testing.assert_array_equal(found["classes"].numpy()[0], best)
    np.testing.assert_allclose(found["scores"].numpy()[0], wanted[best], rtol=1e-4)


def test_our_numpy_shrinks_as_pillow_does() -> None:
    picture = photo(90, 70, 7)
    ours = resized(picture.astype(np.float64), (16, 12))
    theirs = np.asarray(Image.fromarray(picture).resize((12, 16), Image.Resampling.BILINEAR))
    # Pillow rounds to whole numbers, once for each axis.
    np.testing.assert_allclose(ours, theirs, atol=1.5)


ALONE = """
import sys
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
data = tf.constant([open(name, "rb").read() for name in sys.argv[2:]])
found = model.signatures["pictures"](image_bytes=data)
print([[label.decode() for label in row] for row in found["labels"].numpy().tolist()])
assert "engine" not in sys.modules
"""


def test_a_process_with_tensorflow_alone_names_the_classes(
    source: Artifact, tmp_path: Path
) -> None:
    names = ["ant", "bee", "cat", "dog", "elk", "fox"]
    folder = made(source, tmp_path / "net", pictures="imagenet", top=3, labels=" | ".join(names))
    pictures = [photo(30, 30, 1), photo(50, 20, 2)]
    files = []
    for index, picture in enumerate(pictures):
        files.append(tmp_path / f"{index}.png")
        files[-1].write_bytes(encoded(picture))
    command = [sys.executable, "-I", "-c", ALONE, str(folder), *map(str, files)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    order = np.argsort(-expected(source, pictures, "imagenet", "crop"), axis=1)[:, :3]
    assert done.stdout.strip() == str([[names[at] for at in row] for row in order])


def test_grey_pictures_for_a_model_of_one_channel(tmp_path: Path) -> None:
    import tensorflow as tf

    digits = models.converted(models.eager(tmp_path / "torch"), "onnx", tmp_path)
    folder = made(digits, tmp_path / "net", pictures="unit", fit="stretch", scores="given")
    picture = np.random.default_rng(0).integers(0, 255, (8, 8), dtype="uint8")
    found = tf.saved_model.load(str(folder)).signatures["pictures"](
        image_bytes=tf.constant([encoded(picture)])
    )
    wanted = models.infer(digits, {"image": picture[None, None].astype("float32") / 255})["logits"]
    np.testing.assert_array_equal(found["classes"].numpy()[0], np.argsort(-wanted[0])[:5])


def no_picture(path: Path) -> Artifact:
    return models.onnx_model(path, [("Relu", ["x"], ["y"])])


def no_classes(path: Path) -> Artifact:
    return models.onnx_model(path, [("Relu", ["x"], ["y"])], shape=("batch", 3, 8, 8))


@pytest.mark.parametrize(
    ("build", "said"),
    [(no_picture, r"this one takes x \[None, 4\]"), (no_classes, r"gives y .*3, 8, 8")],
)
def test_models_that_take_no_picture(
    tmp_path: Path, build: Callable[[Path], Artifact], said: str
) -> None:
    with pytest.raises(UnsupportedModel, match=said):
        made(build(tmp_path / "net.onnx"), tmp_path / "net", pictures="unit")


def test_labels_must_be_as_many_as_classes(source: Artifact, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="2 labels were given; the model has 6"):
        made(source, tmp_path / "net", pictures="unit", labels="ant|bee")


def test_the_model_itself_is_still_what_is_run_and_converted(
    source: Artifact, tmp_path: Path
) -> None:
    folder = made(source, tmp_path / "net", pictures="unit")
    again = models.artifact("savedmodel", folder.parent, source.signature)
    back = models.converted(again, "onnx", tmp_path / "back")
    given = {"image": np.random.default_rng(0).random((2, 3, 16, 12), np.float32)}
    for model in (again, back):
        np.testing.assert_allclose(
            models.infer(model, given)["logits"],
            models.infer(source, given)["logits"],
            rtol=1e-4,
            atol=1e-5,
        )
    _, _, facts = registry.format_named("savedmodel").describe(folder.parent)
    assert facts["Signatures"] == "pictures, serving_default (run here)"
