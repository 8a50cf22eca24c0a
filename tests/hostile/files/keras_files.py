"""Keras files that are more than layers (families 23 to 25)."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.hostile.case import Case, Traps

UNSAFE, INVALID = ("unsafe_model",), ("invalid_model",)


def _sequential(*layers: dict[str, Any]) -> dict[str, Any]:
    shape = {"module": "keras.layers", "class_name": "InputLayer", "registered_name": None,
             "config": {"batch_shape": [None, 4], "dtype": "float32", "name": "x"}}  # fmt: skip
    return {
        "module": "keras",
        "class_name": "Sequential",
        "registered_name": None,
        "config": {"name": "net", "layers": [shape, *layers]},
    }


def _layer(kind: str, module: str | None, **config: Any) -> dict[str, Any]:
    return {"module": module, "class_name": kind, "config": config, "registered_name": None}


def _keras(
    *layers: Callable[[Traps], dict[str, Any]], weights: Callable[[Path], None] | None = None
) -> Callable[[Path, Traps], Path]:
    def make(folder: Path, traps: Traps) -> Path:
        import h5py

        path, h5 = folder / "model.keras", folder / "w.h5"
        if weights:
            weights(h5)
        else:
            h5py.File(h5, "w").close()
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
            file.writestr("config.json", json.dumps(_sequential(*(one(traps) for one in layers))))
            file.writestr("model.weights.h5", h5.read_bytes())
        h5.unlink()
        return path

    return make


def _elsewhere(path: Path) -> None:
    """Weights that HDF5 would read out of another file."""
    import h5py

    with h5py.File(path, "w") as file:
        group = file.create_group("layers/dense/vars")
        group.create_dataset("0", (4, 2), "f4", external=[("/etc/passwd", 0, 32)])
        group.create_dataset("1", data=[0.0, 0.0])


def _linked(path: Path) -> None:
    """A link of HDF5 to what lies in another file."""
    import h5py

    with h5py.File(path, "w") as file:
        group = file.create_group("layers/dense/vars")
        group["0"] = h5py.ExternalLink("/etc/passwd", "/x")
        group["1"] = h5py.ExternalLink("/etc/passwd", "/y")


def _virtual(path: Path) -> None:
    """A dataset of HDF5 that is made of another file's."""
    import h5py

    layout = h5py.VirtualLayout((4, 2), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4, 2))
    with h5py.File(path, "w") as file:
        group = file.create_group("layers/dense/vars")
        group.create_virtual_dataset("0", layout)
        group.create_dataset("1", data=[0.0, 0.0])


def _endless(path: Path) -> None:
    """64 GB of zeros in a few bytes."""
    import h5py

    with h5py.File(path, "w") as file:
        group = file.create_group("layers/dense/vars")
        group.create_dataset("0", (1 << 17, 1 << 17), "f4", chunks=(1024, 1024), compression="gzip")


def _inflating(folder: Path, traps: Traps) -> Path:
    path = folder / "model.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("metadata.json", "{}")
        file.writestr("model.weights.h5", b"x")
        file.writestr("config.json", b"[" + b" " * (100 << 20) + b"]")
    return path


def _older(folder: Path, traps: Traps) -> Path:
    import h5py

    path = folder / "model.h5"
    config = _sequential(_layer("Lambda", "keras.layers", function={"class_name": "__lambda__"}))
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "3.15.1"
    return path


def _dense(traps: Traps) -> dict[str, Any]:
    return _layer("Dense", "keras.layers", units=2, name="dense")


def _lambda(traps: Traps) -> dict[str, Any]:
    code = {"class_name": "__lambda__", "config": {"code": "AAAA", "defaults": None}}
    return _layer("Lambda", "keras.layers", name="l", function=code)


def _system(traps: Traps) -> dict[str, Any]:
    return _layer("system", "os", command=traps.command)


def _file_of_tensorflow(traps: Traps) -> dict[str, Any]:
    return _layer("TFSMLayer", "keras.layers", filepath="/etc", name="t")


CASES = [
    Case(23, "a Lambda layer", _keras(_lambda), UNSAFE, "Lambda"),
    Case(23, "a Lambda layer in the older format", _older, ("unsupported",), "HDF5"),
    Case(23, "a layer that is os.system", _keras(_system), ("unsupported",), "'os'"),
    Case(23, "a layer that loads a folder", _keras(_file_of_tensorflow), UNSAFE, "TFSMLayer"),
    Case(24, "a config that inflates", _inflating, UNSAFE, "bomb"),
    Case(25, "weights in another file", _keras(_dense, weights=_elsewhere), INVALID, "Not allowed"),
    Case(25, "weights behind a link", _keras(_dense, weights=_linked), UNSAFE + INVALID),
    Case(25, "weights borrowed from a file", _keras(_dense, weights=_virtual), UNSAFE + INVALID),
    Case(
        25,
        "64 GB of weights in a few bytes",
        _keras(_dense, weights=_endless),
        UNSAFE + INVALID + ("out_of_memory",),
    ),
]
