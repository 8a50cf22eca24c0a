"""A SavedModel that TensorFlow or Keras wrote, saved again as ours are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import registry
from engine.formats.savedmodel.options import SavedModelOptions
from engine.types import Artifact
from engine.verify.inputs import feed
from tests import models
from tests.engine.formats.savedmodel.test_pictures import encoded, photo, prepared, softmax


def brought(folder: Path) -> Artifact:
    read = registry.format_named("savedmodel").read_signature
    assert read is not None
    return models.artifact("savedmodel", folder, read(folder))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """What Keras exports of an image classifier, channels last."""
    import keras

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((16, 12, 3), name="image"),
            keras.layers.Conv2D(4, 3, strides=2, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(6),
        ]
    )
    folder = tmp_path_factory.mktemp("keras") / "net"
    model.export(str(folder), verbose=False)
    return brought(folder)


def again(source: Artifact, out: Path, **options: Any) -> Artifact:
    made = registry.edge("savedmodel", "savedmodel")(source, out, SavedModelOptions(**options))
    assert made.signature == source.signature
    assert made.variant
    return models.artifact("savedmodel", out, made.signature)


def test_the_answers_stay_in_the_layout_that_is_served(exported: Artifact, tmp_path: Path) -> None:
    made = again(exported, tmp_path / "net")
    assert [item.name for item in made.path.iterdir()] == ["1"]
    assert registry.format_named("savedmodel").describe(made.path)[2]["Signatures"] == (
        "serving_default"
    )
    for batch in (1, 3):
        given = feed(exported.signature, "random", batch, 0)
        wanted, found = models.infer(exported, given), models.infer(made, given)
        np.testing.assert_allclose(found["output_0"], wanted["output_0"], rtol=1e-5, atol=1e-6)


def test_a_keras_model_takes_pictures_too(exported: Artifact, tmp_path: Path) -> None:
    import tensorflow as tf

    made = again(exported, tmp_path / "net", pictures="symmetric", top=6)
    pictures = [photo(40, 50, 1), photo(20, 14, 2)]
    model = tf.saved_model.load(str(made.path / "1"))
    found = model.signatures["pictures"](image_bytes=tf.constant(list(map(encoded, pictures))))
    ready = np.stack([prepared(item, (16, 12), "symmetric", "crop") for item in pictures])
    wanted = softmax(models.infer(exported, {"image": ready.astype("float32")})["output_0"])
    order = np.argsort(-wanted, axis=1)
    np.testing.assert_array_equal(found["classes"].numpy(), order)
    np.testing.assert_allclose(
        found["scores"].numpy(), np.take_along_axis(wanted, order, 1), rtol=1e-3, atol=1e-4
    )


def test_tables_and_variables_come_along(tmp_path: Path) -> None:
    import tensorflow as tf

    class Table(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            pairs = tf.lookup.KeyValueTensorInitializer([1, 2, 3], [10.0, 20.0, 30.0])
            self.table = tf.lookup.StaticHashTable(pairs, -1.0)
            self.scale = tf.Variable(2.0)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, name="ids")])
        def __call__(self, ids: Any) -> Any:
            return {"y": self.table.lookup(ids) * self.scale}

    module = Table()
    folder = tmp_path / "table"
    tf.saved_model.save(module, str(folder), signatures={"look": module.__call__})
    made = again(brought(folder), tmp_path / "again")
    found = models.infer(made, {"ids": np.array([3, 9, 1], np.int32)})
    np.testing.assert_array_equal(found["y"], np.array([60.0, -2.0, 20.0], np.float32))
