"""The signature ``pictures``: JPEG or PNG bytes in, the best classes out, in TensorFlow alone.

Decode, shrink, cut, scale, lay out as the model wants, run, rank: a client needs no code of its
own, and what was done in training is done again at the server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.errors import BadRequest, UnsupportedModel
from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.options import SavedModelOptions

NAME = "pictures"
BYTES = "image_bytes"
"""The input. TensorFlow Serving's REST interface takes base64 where a name ends in ``_bytes``."""
_KEPT = 7 / 8
_SCALES = {
    "imagenet": (255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "unit": (255.0, (0.0,), (1.0,)),
    "symmetric": (255.0, (0.5,), (0.5,)),
    "raw": (1.0, (0.0,), (1.0,)),
}
"""By name: divide by the first, take off the second, divide by the third (a channel each)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the model takes a picture."""

    height: int
    width: int
    channels: int
    channels_first: bool
    dtype: Any


def signature(module: Any, serve: Any, options: SavedModelOptions) -> Any:
    """The concrete function. Raises UnsupportedModel where the model takes no single picture."""
    layout = _layout(serve)
    output, classes = _output(serve)
    labels = _labels(options.labels, classes)
    module.picture_labels = labels

    def pictures(image_bytes: Any) -> dict[str, Any]:
        ready = tf.map_fn(
            lambda one: _prepared(one, layout, options),
            image_bytes,
            fn_output_signature=tf.TensorSpec(
                [layout.height, layout.width, layout.channels], tf.float32
            ),
        )
        if layout.channels_first:
            ready = tf.transpose(ready, [0, 3, 1, 2])
        if layout.dtype.is_integer:
            ready = tf.round(ready)
        made = serve(tf.saturate_cast(ready, layout.dtype))[output]
        return _ranked(tf.cast(made, tf.float32), labels, options)

    spec = tf.TensorSpec([None], tf.string, name=BYTES)
    function = tf.function(pictures, input_signature=[spec], autograph=False)
    return function.get_concrete_function()


def _layout(serve: Any) -> Layout:
    """What the model takes, from the shape of its one input."""
    specs = tf.nest.flatten(serve.structured_input_signature)
    if len(specs) == 1:
        dtype, shape = specs[0].dtype, tuple(specs[0].shape)
        if len(shape) == 4 and None not in shape[1:] and shape[0] is None:
            if shape[1] in (1, 3):
                return Layout(shape[2], shape[3], shape[1], True, dtype)
            if shape[3] in (1, 3):
                return Layout(shape[1], shape[2], shape[3], False, dtype)
    taken = ", ".join(f"{spec.name} {list(spec.shape)}" for spec in specs)
    raise UnsupportedModel(
        f"A signature for pictures needs a model of one input [batch, 1 or 3, height, width]; "
        f"this one takes {taken}.",
        hint="Leave the option 'pictures' at 'no' for this model.",
    )


def _output(serve: Any) -> tuple[str, int | None]:
    """The first output that scores classes: its name, and how many."""
    for name, spec in serve.structured_outputs.items():
        if spec.shape.rank == 2 and spec.dtype.is_floating:
            return name, spec.shape[1]
    given = ", ".join(f"{name} {spec.shape}" for name, spec in serve.structured_outputs.items())
    raise UnsupportedModel(
        f"A signature for pictures needs an output [batch, classes]; this model gives {given}.",
        hint="Leave the option 'pictures' at 'no' for this model.",
    )


def _labels(text: str, classes: int | None) -> Any:
    """The names of the classes as a constant; None where none were given."""
    names = [name.strip() for name in text.split("|")] if text.strip() else []
    if names and classes is not None and len(names) != classes:
        raise BadRequest(
            f"{len(names)} labels were given; the model has {classes} classes.",
            hint="Give one label for each class, separated by |, or none.",
        )
    return tf.constant(names) if names else None


def _prepared(data: Any, layout: Layout, options: SavedModelOptions) -> Any:
    """One picture's bytes → float32 [height, width, channels], as the model was trained on."""
    # Takes PNG too; and only with the accurate transform a JPEG has the pixels that Pillow, and so
    # most training, sees: the default of decode_image is off by up to 15 of 255.
    picture = tf.io.decode_jpeg(data, layout.channels, dct_method="INTEGER_ACCURATE")
    picture = tf.cast(picture, tf.float32)
    picture.set_shape([None, None, layout.channels])
    size = (layout.height, layout.width)
    if options.fit == "stretch":
        picture = tf.image.resize(picture, size, antialias=True)
    else:
        picture = _cropped(picture, size)
    by, mean, deviation = _SCALES[options.pictures]
    wide = layout.channels
    if len(mean) > wide:
        mean, deviation = (sum(mean) / len(mean),), (sum(deviation) / len(deviation),)
    return (picture / by - tf.constant(mean)) / tf.constant(deviation)


def _cropped(picture: Any, size: tuple[int, int]) -> Any:
    """Shrunk until the middle 7/8 fills ``size``, then that middle."""
    frame = tf.constant([round(side / _KEPT) for side in size], tf.float32)
    sides = tf.cast(tf.shape(picture)[:2], tf.float32)
    factor = tf.reduce_max(frame / sides)
    wanted = tf.maximum(tf.cast(tf.round(sides * factor), tf.int32), size)
    shrunk = tf.image.resize(picture, wanted, antialias=True)
    top, left = tf.unstack((wanted - size) // 2)
    return tf.image.crop_to_bounding_box(shrunk, top, left, *size)


def _ranked(scores: Any, labels: Any, options: SavedModelOptions) -> dict[str, Any]:
    """The best classes by falling score."""
    if options.scores == "softmax":
        scores = tf.nn.softmax(scores)
    best, at = tf.math.top_k(scores, k=tf.minimum(options.top, tf.shape(scores)[1]))
    found = {"classes": tf.identity(at, "classes"), "scores": tf.identity(best, "scores")}
    if labels is not None:
        found["labels"] = tf.gather(labels, at, name="labels")
    return found
