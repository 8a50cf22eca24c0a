"""Keras files (.keras): a config and its weights, exported once to a SavedModel that is run.

The config is read as data first: layers that carry code of their own are named and refused before
Keras sees them; Keras then loads with its safe mode on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import ConversionError, EngineError, InvalidModel, UnsafeModel, UnsupportedModel
from engine.files import disk_errors
from engine.lazy import Requirement, require
from engine.registry import format_named, open_runner
from engine.sources import archive
from engine.sources.model import UNPACKED, Found, Progress, Recognised, Wanted
from engine.sources.originals import bring, place, recognised
from engine.sources.trying import agreed, bounded, steady
from engine.sources.words import one_line, quoted
from engine.types import Artifact, RunnerOptions, Signature, Step
from engine.verify.inputs import feed

KINDS = ("keras",)
_CONFIG_LIMIT = 64 << 20
_MEMBERS = re.compile(
    r"metadata\.json|config\.json|model(?:_\d+)?\.weights\.(?:h5|json)|assets/.*", re.ASCII
)
_MODULES = re.compile(
    r"keras|keras\.(?:layers|models|initializers|regularizers|constraints|activations|random"
    r"|dtype_policies|quantizers|ops)"
    r"|keras\.src\.(?:layers|models|ops|activations|initializers|random|quantizers"
    r"|dtype_policies|applications)(?:\.\w+)*",
    re.ASCII,
)
_CODE = {
    "Lambda": "Python code as bytes",
    "__lambda__": "Python code as bytes",
    "TorchModuleWrapper": "a pickled PyTorch module",
    "TFSMLayer": "the path of another SavedModel",
    "JaxLayer": "pickled JAX code",
    "FlaxLayer": "pickled Flax code",
}


def recognise(found: Found, wanted: Wanted, out: Path, progress: Progress) -> Recognised:
    """Check the config, load it in safe mode, export it, and see that both answer alike."""
    progress("Reading the config", 0.1)
    _check(found.path)
    progress("Loading it into Keras in safe mode", 0.2)
    model = _load(found.path, out / UNPACKED)
    progress("Exporting it to a SavedModel", 0.5)
    path = place(out, "savedmodel")
    _export(model, path)
    spec = format_named("savedmodel")
    assert spec.read_signature is not None
    signature = bounded(spec.read_signature(path), _lookup_rows(model))
    if wanted.signature:
        signature = agreed(signature, wanted.signature)
    progress("Running it once", 0.8)
    steady("savedmodel", path, signature)
    _check_same(model, path, signature)
    version = Requirement("keras", "keras").version or ""
    return recognised(
        found,
        path,
        "savedmodel",
        signature,
        wanted.origin("carried"),
        facts={"Keras": f"{type(model).__name__} of {len(model.layers)} layers"},
        notes=(
            "Keras exported this file once to a SavedModel, which answers as the file does; that "
            "is the original here.",
        ),
        lineage=(Step("export", "keras model.export", version, {"format": "tf_saved_model"}),),
    )


def _check(path: Path) -> None:
    """Refuse what could run code, by name. Reads nothing but the config and the names."""
    if path.is_dir():
        raise InvalidModel(
            "This is a Keras model as a folder.",
            hint="Bring the .keras file that model.save writes.",
        )
    with path.open("rb") as file:
        legacy = file.read(4) == b"\x89HDF"
    if legacy:
        raise UnsupportedModel(
            "This is Keras' older HDF5 format, whose loader ignores safe mode; it is not opened.",
            hint="Where you trust it: keras.models.load_model('model.h5').save('model.keras'), "
            "then bring the .keras file.",
        )
    with archive.opened(path) as source:
        for name in source.names:
            if source.root or not _MEMBERS.fullmatch(name):
                raise InvalidModel(
                    f"This Keras file holds {one_line(name)!r}, which model.save does not write.",
                    hint="Bring the .keras file as Keras wrote it, not a zip of its parts.",
                )
        text = source.read("config.json", _CONFIG_LIMIT)
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidModel(
            "The config.json of this Keras file is not JSON.", hint="Save the model again."
        ) from error
    for named in _objects(config):
        _check_object(named)


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    """Everything Keras would look up by name; what is only for training is not loaded."""
    pending = [config]
    while pending:
        here = pending.pop()
        if isinstance(here, dict):
            if "class_name" in here:
                yield here
            # Of the outermost one alone Keras leaves out how it was trained.
            left_out = "compile_config" if here is config else None
            pending += [value for key, value in here.items() if key != left_out]
        elif isinstance(here, list):
            pending += here


def _check_object(named: dict[str, Any]) -> None:
    kind, module = str(named["class_name"]), named.get("module")
    inner = named.get("config")
    called = inner.get("name", "") if isinstance(inner, dict) else inner
    where = f" ({one_line(str(called))!r})" if called else ""
    if kind in _CODE:
        what = "a Lambda layer" if kind == "__lambda__" else f"the layer {kind}{where}"
        raise UnsafeModel(
            f"This Keras file holds {what}: {_CODE[kind]}, which safe mode refuses to run.",
            hint="Write the layer with Keras' own (Rescaling, Normalization, keras.ops …) and save "
            "again, or export it where you trust it with model.export() and bring the SavedModel.",
        )
    inside = kind.startswith("__") and module is None and not named.get("registered_name")
    if not inside and not (isinstance(module, str) and _MODULES.fullmatch(module)):
        own = "function" if kind == "function" else f"class {one_line(kind)!r}"
        name = where if kind == "function" else ""
        raise UnsupportedModel(
            f"This Keras file needs a {own}{name} that is not part of Keras"
            f"{f' (module {one_line(module)!r})' if isinstance(module, str) else ''}.",
            hint="Its Python is not in the file. Where it is defined, write a SavedModel with "
            "model.export('folder') and bring that as a zip.",
        )


def _load(path: Path, scratch: Path) -> Any:
    """The Keras model. Raises InvalidModel with what Keras said."""
    keras = require("keras", "keras")
    scratch.mkdir(parents=True, exist_ok=True)
    named = scratch / "model.keras"
    bring(path, named)
    try:
        return keras.saving.load_model(str(named), compile=False, safe_mode=True)
    except (EngineError, MemoryError):
        raise
    except Exception as error:
        raise InvalidModel(
            f"Keras could not load this file: {quoted(error)}",
            hint=f"It was read with Keras {Requirement('keras', 'keras').version}; save it again "
            "with a current Keras 3, or export it with model.export() where it loads.",
        ) from error


def _export(model: Any, path: Path) -> None:
    try:
        with disk_errors():
            model.export(str(path), format="tf_saved_model", verbose=False)
    except (EngineError, MemoryError, OSError):
        raise
    except Exception as error:
        raise ConversionError(
            f"Keras could not export this model to a SavedModel: {quoted(error)}",
            hint="Begin the model with keras.Input(shape), so that it knows what it takes.",
        ) from error


def _lookup_rows(model: Any) -> dict[str, int]:
    """Inputs that go straight into an embedding, and how many rows that has."""
    keras = require("keras", "keras")
    inputs = {id(tensor): tensor.name for tensor in model.inputs}
    tables = (layer for layer in model.layers if isinstance(layer, keras.layers.Embedding))
    found = ((inputs.get(id(table.input)), int(table.input_dim)) for table in tables)
    return {name: rows for name, rows in found if name is not None}


def _check_same(model: Any, path: Path, signature: Signature) -> None:
    """Keras itself and the SavedModel give the same numbers. Raises ConversionError."""
    keras = require("keras", "keras")
    given = feed(signature, "random", 2, 0)
    arrays = [given[tensor.name] for tensor in model.inputs]
    said = model(arrays if len(arrays) > 1 else arrays[0])
    flat = said if isinstance(said, dict) else keras.tree.flatten(said)
    wanted = flat if isinstance(flat, dict) else {f"output_{i}": v for i, v in enumerate(flat)}
    artifact = Artifact("trial", "savedmodel", path, "", 0, signature)
    with open_runner(artifact, RunnerOptions()) as runner:
        made = runner.infer(given)
    for name, tensor in wanted.items():
        expected = keras.ops.convert_to_numpy(tensor)
        if name not in made or not np.allclose(made[name], expected, 1e-3, 1e-4):
            raise ConversionError(
                f"The exported SavedModel answers otherwise than the Keras model at {name!r}.",
                hint="Export it yourself with model.export() and bring the SavedModel.",
            )
