"""Every parser of ours that reads a stranger's bytes, with a good file to damage."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.data import opening
from engine.formats.gguf import file as gguf
from engine.reports import migrations
from engine.reports.export import export_json
from engine.sources import archive, detect, exported, keras, onnx, pickles, safetensors, torchscript
from engine.types import Artifact, Signature, TensorSpec
from tests import gguf_files
from tests.engine.reports.made import report
from tests.engine.sources.conftest import export, net, onnx_model, script, with_external_data


@dataclass(frozen=True)
class Parser:
    """``read`` is given a file; ``make`` writes a good one into a folder."""

    name: str
    suffix: str
    make: Callable[[Path], bytes]
    read: Callable[[Path], object]


def _zip(**members: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name.replace("__", "/").replace("_dot_", "."), data)
    return made.getvalue()


def _every_member(path: Path) -> None:
    with archive.opened(path) as source:
        for name in source.names:
            source.read(name, 1 << 20)


def _gguf(path: Path) -> None:
    gguf.check_tokens(path, gguf.check(path))


def _torch(folder: Path, *, zipped: bool) -> bytes:
    import torch

    path = folder / "weights"
    weights = {"conv.weight": torch.ones(3, 3), "conv.bias": torch.zeros(3)}
    torch.save(weights, path, _use_new_zipfile_serialization=zipped)
    return path.read_bytes()


def _pickles(path: Path) -> None:
    with archive.opened(path) as source:
        pickles.check_archive(source)


def _scripted(path: Path) -> None:
    with archive.opened(path) as source:
        pickles.check_archive(source, scripted=True)
        torchscript._check_code(source)


def _exported(path: Path) -> None:
    with archive.opened(path) as source:
        exported._check(source, path.parent)


def _safetensors(folder: Path) -> bytes:
    from safetensors.numpy import save

    return save({"a": np.ones((2, 3), np.float32), "b": np.zeros(4, np.int64)})


def _onnx(path: Path) -> None:
    proto = onnx._parse(path)
    onnx._check_operators(proto)
    onnx._check_externals(tuple(onnx._externals(proto)), path.parent, alone=False)


def _onnx_apart(folder: Path) -> bytes:
    made = with_external_data(folder / "apart")
    (folder / "data.bin").write_bytes((made / "data.bin").read_bytes())
    return (made / "model.onnx").read_bytes()


def _keras(folder: Path) -> bytes:
    layer = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 2}}
    config = {"module": "keras", "class_name": "Sequential", "config": {"layers": [layer]}}
    text = json.dumps(config).encode()
    return _zip(config_dot_json=text, metadata_dot_json=b"{}", model_dot_weights_dot_h5=b"x")


def _savedmodel(folder: Path) -> bytes:
    from tests.hostile.files.savedmodels import graph_with

    return graph_with("MatMul")


def _read_savedmodel(path: Path) -> None:
    from engine.sources import graphs

    graphs.read(path)


_ROW = Signature((TensorSpec("x", "float32", ("batch", 3)),), ())


def _samples(path: Path) -> None:
    """Every sample of data for a model of one row of three numbers."""
    model = replace(Artifact("a", "onnx", path, "", 0, _ROW), variant="")
    with ExitStack() as held:
        for _ in opening.open_file(path, path.name, model, {}, held).samples:
            pass


def _npy(folder: Path) -> bytes:
    made = io.BytesIO()
    np.save(made, np.ones((4, 3), np.float32))
    return made.getvalue()


def _npz(folder: Path) -> bytes:
    made = io.BytesIO()
    np.savez(made, x=np.ones((4, 3), np.float32), labels=np.zeros(4, np.int64))
    return made.getvalue()


def _pictures(folder: Path) -> bytes:
    from PIL import Image

    made = io.BytesIO()
    Image.new("RGB", (4, 4)).save(made, "PNG")
    return _zip(cats__a_dot_png=made.getvalue(), dogs__b_dot_png=made.getvalue())


def _look_at_pictures(path: Path) -> None:
    shape = Signature((TensorSpec("x", "float32", ("batch", 3, 8, 8)),), ())
    model = Artifact("a", "onnx", path, "", 0, shape)
    with ExitStack() as held:
        for _ in opening.open_file(path, path.name, model, {}, held).samples:
            pass


def _report(path: Path) -> None:
    migrations.loads(path.read_bytes().decode("utf-8", "replace"))


def _text(path: Path) -> Any:
    from engine.data import texts

    return texts._lines(path.read_text("utf-8", "replace"), path.name)


CSV = b"a,b,c,label\n" + b"1,2,3,0\n4.5,5e3,-6,1\n" * 3
PARSERS = (
    Parser("GGUF header", ".gguf", lambda at: gguf_files.write_llama(at / "g").read_bytes(), _gguf),
    Parser("zip", ".zip", lambda at: _zip(a__b_dot_bin=bytes(500), c=b"word " * 99), _every_member),
    Parser("pickle", ".pt", lambda at: _torch(at, zipped=True), _pickles),
    Parser("legacy pickle", ".pt", lambda at: _torch(at, zipped=False), pickles.check_legacy),
    Parser(
        "bare pickle",
        ".pkl",
        lambda at: pickle.dumps({"a": [1, 2.5, "x"], "b": (None, True, {1})}, 2),
        lambda path: pickles.check_bytes(path.read_bytes(), "x", must_parse=True),
    ),
    Parser("safetensors", ".safetensors", _safetensors, safetensors.check),
    Parser("ONNX", ".onnx", lambda at: onnx_model().SerializeToString(), _onnx),
    Parser("ONNX with external data", ".onnx", _onnx_apart, _onnx),
    Parser("TorchScript", ".pt", lambda at: script(net(), at / "s.pt").read_bytes(), _scripted),
    Parser("torch.export", ".pt2", lambda at: export(net(), at / "e.pt2").read_bytes(), _exported),
    Parser("Keras", ".keras", _keras, keras._check),
    Parser("SavedModel", ".pb", _savedmodel, _read_savedmodel),
    Parser(".npy", ".npy", _npy, _samples),
    Parser(".npz", ".npz", _npz, _samples),
    Parser(".csv", ".csv", lambda at: CSV, _samples),
    Parser(".jsonl", ".jsonl", lambda at: b'{"text": "one"}\n"two"\n', _text),
    Parser("pictures", ".zip", _pictures, _look_at_pictures),
    Parser("report", ".json", lambda at: export_json(report({"torch": 70.0})).encode(), _report),
)
"""Whoever adds a parser of strangers' bytes adds it here."""
DETECTED = tuple(
    replace(parser, name=f"what it is: {parser.name}", read=detect.identify) for parser in PARSERS
)
