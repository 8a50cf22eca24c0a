"""The signatures a SavedModel offers to those who call it."""

from __future__ import annotations

from typing import Any

from engine.formats.savedmodel import pictures
from engine.formats.savedmodel.options import SavedModelOptions

DEFAULT = "serving_default"
"""The signature that TensorFlow Serving calls when a request names none."""


def signatures(module: Any, serve: Any, options: SavedModelOptions) -> dict[str, Any]:
    """Name → concrete function. ``serve`` is the model itself, from tensors to tensors.

    A further signature is one more entry: a ``tf.function`` that calls ``serve``. What it needs
    beyond tensors (variables, tables, assets) is kept by setting it as an attribute of ``module``.
    """
    found = {DEFAULT: serve}
    if options.pictures != "no":
        found[pictures.NAME] = pictures.signature(module, serve, options)
    return found
