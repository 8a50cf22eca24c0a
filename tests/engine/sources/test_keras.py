"""Keras files: exported once and answering alike, or refused with the layer's name."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import EngineError, InvalidModel, UnsafeModel, UnsupportedModel
from engine.registry import open_runner
from engine.types import Artifact, RunnerOptions, Signature
from engine.verify.inputs import feed
from tests import models
from tests.engine.sources.conftest import Bring, refused


def classifier() -> Any:
    """A convolutional net with preprocessing layers, trained for a few steps on digits."""
    import keras
    from sklearn.datasets import load_digits

    keras.utils.set_random_seed(0)
    digits = load_digits()
    images = digits.images[:200, :, :, None].astype("float32")
    normal = keras.layers.Normalization()
    normal.adapt(images / 16.0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            keras.layers.Rescaling(1 / 16),
            normal,
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(images, digits.target[:200], epochs=1, verbose=0)
    return model


def two_inputs() -> Any:
    import keras

    left, right = keras.Input((4,), name="left"), keras.Input((3,), name="right")
    both = keras.layers.Concatenate()([left, right])
    outputs = {"sums": keras.layers.Dense(2)(both), "parts": keras.layers.Dense(3)(both)}
    return keras.Model([left, right], outputs)


def recurrent() -> Any:
    import keras

    ids = keras.Input((None,), dtype="int32", name="ids")
    rows = keras.layers.LSTM(6)(keras.layers.Embedding(50, 8)(ids))
    return keras.Model(ids, keras.layers.Dense(2)(rows))


BUILT: dict[str, Callable[[], Any]] = {
    "classifier": classifier,
    "two_inputs": two_inputs,
    "recurrent": recurrent,
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, Path]]:
    """Each model with its file."""
    home = tmp_path_factory.mktemp("keras")
    made = {}
    for name, build in BUILT.items():
        model = build()
        model.save(home / f"{name}.keras")
        made[name] = (model, home / f"{name}.keras")
    return made


def brought(found: dict[str, Any], workspace: Path) -> Artifact:
    from engine.records import parse

    signature = parse(Signature, found["signature"])
    return models.artifact("savedmodel", workspace / "out" / found["path"], signature)


@pytest.mark.parametrize("name", BUILT)
def test_the_original_answers_as_keras_does_and_goes_on_to_onnx(
    bring: Bring, workspace: Path, tmp_path: Path, saved: dict[str, tuple[Any, Path]], name: str
) -> None:
    model, path = saved[name]
    found = bring(path)
    assert (found["kind"], found["format"]) == ("keras", "savedmodel")
    assert "exported this file once" in found["notes"][0]
    assert found["lineage"][0]["tool"] == "keras model.export"
    original = brought(found, workspace)
    onnx = models.converted(original, "onnx", tmp_path)
    for batch in (1, 3):
        given = feed(original.signature, "random", batch, 0)
        arrays = [given[tensor.name] for tensor in model.inputs]
        said = model(arrays if len(arrays) > 1 else arrays[0])
        wanted = said if isinstance(said, dict) else {"output_0": said}
        with open_runner(original, RunnerOptions()) as runner:
            kept = runner.infer(given)
        converted = models.infer(onnx, given)
        assert set(kept) == set(converted) == set(wanted)
        for key, tensor in wanted.items():
            np.testing.assert_allclose(kept[key], np.asarray(tensor), rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(converted[key], np.asarray(tensor), rtol=1e-4, atol=1e-5)


def test_inputs_keep_names_axes_and_ranges(
    bring: Bring, saved: dict[str, tuple[Any, Path]]
) -> None:
    spec = bring(saved["recurrent"][1])["signature"]["inputs"][0]
    assert (spec["name"], spec["dtype"], spec["low"], spec["high"]) == ("ids", "int32", 0, 50)
    assert spec["shape"] == ["batch", "ids_1"]
    found = bring(saved["two_inputs"][1])["signature"]
    assert [item["name"] for item in found["inputs"]] == ["left", "right"]
    assert [item["name"] for item in found["outputs"]] == ["parts", "sums"]


def lambda_layer() -> Any:
    import keras

    return keras.Sequential(
        [keras.Input((4,)), keras.layers.Lambda(lambda value: value * 2, name="twice")]
    )


def own_layer() -> Any:
    import keras

    class Mine(keras.layers.Layer):
        def call(self, value: Any) -> Any:
            return value * 2

    return keras.Sequential([keras.Input((4,)), Mine()])


def own_function() -> Any:
    import keras

    def mine(value: Any) -> Any:
        return value * 2

    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation=mine)])


def words() -> Any:
    import keras

    text = keras.Input((1,), dtype="string", name="words")
    ids = keras.layers.StringLookup(vocabulary=["a", "b"])(text)
    return keras.Model(text, keras.layers.Embedding(4, 2)(ids))


@pytest.mark.parametrize(
    ("build", "error", "said"),
    [
        (lambda_layer, UnsafeModel, "the layer Lambda ('twice')"),
        (own_layer, UnsupportedModel, "a class 'Mine' that is not part of Keras"),
        (own_function, UnsupportedModel, "a function ('mine') that is not part of Keras"),
        (words, UnsupportedModel, "'words' holds strings"),
    ],
)
def test_layers_that_are_refused_by_name(
    bring: Bring, tmp_path: Path, build: Callable[[], Any], error: type[EngineError], said: str
) -> None:
    build().save(tmp_path / "net.keras")
    assert said in refused(bring, tmp_path / "net.keras", error).message


def with_config(path: Path, out: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """A copy of a Keras file whose config was changed."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "config.json":
                data = json.dumps(change(json.loads(data))).encode()
            target.writestr(name, data)
    return out


def layer(kind: str, module: str | None, **config: Any) -> Callable[[dict[str, Any]], Any]:
    """A change that puts such a layer into a sequential model."""

    def change(config_json: dict[str, Any]) -> dict[str, Any]:
        made = {"module": module, "class_name": kind, "config": config, "registered_name": None}
        config_json["config"]["layers"].append(made)
        return config_json

    return change


def trained_inside(config_json: dict[str, Any]) -> dict[str, Any]:
    """How an inner model was trained is loaded, unlike the outer one's."""
    code = {"module": None, "class_name": "__lambda__", "config": {"code": "AAAA"}}
    inner = {"module": "keras", "class_name": "Sequential", "config": {"layers": []}}
    inner |= {"registered_name": None, "compile_config": {"loss": code}}
    config_json["config"]["layers"].append(inner)
    return config_json


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (trained_inside, UnsafeModel, "a Lambda layer"),
        (layer("TFSMLayer", "keras.layers", filepath="/etc"), UnsafeModel, "TFSMLayer"),
        (layer("TorchModuleWrapper", "keras.layers"), UnsafeModel, "pickled PyTorch"),
        (layer("__lambda__", None, code="AAAA"), UnsafeModel, "a Lambda layer"),
        (layer("system", "os", command="touch /tmp/canary"), UnsupportedModel, "module 'os'"),
        (layer("get_file", "keras.utils", origin="x"), UnsupportedModel, "keras.utils"),
        (layer("Dense", "keras.layers", units=-1), InvalidModel, "Keras could not load"),
        (lambda config: [], InvalidModel, "Keras could not load"),
    ],
)
def test_configs_that_lie(
    bring: Bring,
    tmp_path: Path,
    saved: dict[str, tuple[Any, Path]],
    change: Callable[[dict[str, Any]], Any],
    error: type[EngineError],
    said: str,
) -> None:
    path = with_config(saved["classifier"][1], tmp_path / "net.keras", change)
    assert said in refused(bring, path, error).message


def test_nothing_but_a_config_that_inflates_is_read(bring: Bring, tmp_path: Path) -> None:
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("metadata.json", "{}")
        target.writestr("model.weights.h5", b"x")
        target.writestr("config.json", b"[" + b" " * (200 << 20) + b"]")
    assert "bomb" in refused(bring, path, UnsafeModel).message


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"config.json": b"{"}, "not JSON"),
        ({"config.json": b"{}", "evil.py": b"x"}, "'evil.py'"),
    ],
)
def test_archives_that_are_refused(
    bring: Bring, tmp_path: Path, members: dict[str, bytes], said: str
) -> None:
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w") as target:
        for name, data in {"metadata.json": b"{}", "model.weights.h5": b"x", **members}.items():
            target.writestr(name, data)
    assert said in refused(bring, path, InvalidModel).message


def test_weights_of_another_shape(
    bring: Bring, tmp_path: Path, saved: dict[str, tuple[Any, Path]]
) -> None:
    import h5py

    with zipfile.ZipFile(saved["classifier"][1]) as source:
        members = {name: source.read(name) for name in source.namelist()}
    buffer = io.BytesIO(members["model.weights.h5"])
    with h5py.File(buffer, "r+") as file:
        layer_variables = file["layers/dense/vars"]
        del layer_variables["0"]
        layer_variables["0"] = np.zeros((3, 3), "float32")
    members["model.weights.h5"] = buffer.getvalue()
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w") as target:
        for name, data in members.items():
            target.writestr(name, data)
    assert "Keras could not load" in refused(bring, path, InvalidModel).message


def test_the_older_hdf5_format_says_how_to_save_again(bring: Bring, tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(30))
    error = refused(bring, path, UnsupportedModel)
    assert "HDF5" in error.message and ".keras" in error.hint


def test_a_name_that_promises_something_else(
    bring: Bring, tmp_path: Path, saved: dict[str, tuple[Any, Path]]
) -> None:
    found = bring(saved["two_inputs"][1], name="net.onnx")
    assert "its bytes are a Keras model" in found["notes"][0]


def test_layers_that_stay_random_are_no_model_to_compare_with(bring: Bring, tmp_path: Path) -> None:
    """Keras' augmentation layers do when a file is loaded."""
    import keras

    layers = [keras.Input((16, 16, 3)), keras.layers.RandomRotation(0.5), keras.layers.Flatten()]
    keras.Sequential(layers).save(tmp_path / "net.keras")
    error = refused(bring, tmp_path / "net.keras", UnsupportedModel)
    assert "otherwise the second time" in error.message and "augmentation" in error.hint


def test_layers_of_keras_own_applications_are_keras_own(bring: Bring, tmp_path: Path) -> None:
    import keras
    from keras.src.applications.convnext import LayerScale

    model = keras.Sequential([keras.Input((4,)), LayerScale(0.5, 4)])
    model.save(tmp_path / "net.keras")
    assert bring(tmp_path / "net.keras")["parameters"] == 4
