"""What is not a model, and what could do harm: one clear sentence each, and nothing happens."""

from __future__ import annotations

import contextlib
import io
import os
import random
import struct
import tarfile
from pathlib import Path
from typing import Any

import pytest

from engine.errors import BadRequest, EngineError, InvalidModel, UnsafeModel, UnsupportedModel
from engine.sources.detect import identify
from engine.types import Signature, TensorSpec
from tests.engine.sources.conftest import (
    Bring,
    export,
    net,
    onnx_model,
    refused,
    script,
    with_external_data,
    zipped,
)


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as target:
        info = tarfile.TarInfo("model.onnx")
        target.addfile(info)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.onnx", b"", "empty"),
        ("a.onnx", b"this is only a text", "text file"),
        ("a.pt", b"<!DOCTYPE html><html><body>Sign in</body></html>", "web page"),
        ("a.safetensors", b"version https://git-lfs.github.com/spec/v1\noid x\n", "Git LFS"),
        ("a.tar", _tar(), "tar archive"),
        ("a.onnx", b"\x89PNG\r\n\x1a\n" + bytes(50), "PNG"),
        ("a.pt", b"\x7fELF" + bytes(50), "program"),
        ("a.pt", b"\x1f\x8b" + bytes(50), "gzip"),
        ("a.bin", bytes(range(256)) * 4, "no model format"),
        ("a.zip", b"PK\x03\x04" + bytes(100), "cut short"),
        ("a.gguf", b"GGUF\x03\x00\x00\x00" + bytes(30), "names no architecture"),
        ("a.safetensors", struct.pack("<Q", 900) + b'{"a":1}', "cut short|header alone"),
        ("a.safetensors", struct.pack("<Q", 2) + b"{}", "no tensors"),
        ("a.safetensors", struct.pack("<Q", 9) + b'{"a": 1}}' + bytes(9), "cannot be read"),
    ],
)
def test_what_is_no_model(bring: Bring, tmp_path: Path, name: str, data: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    message = refused(bring, path, InvalidModel, architecture="digits").message
    assert any(part in message for part in said.split("|")), message


@pytest.mark.parametrize(
    ("dtype", "first", "said"),
    [
        ("floaty", "batch", "x has the type 'floaty'"),
        ("float32", 0, "'0' in the shape of x"),
        ("float32", "-1", "'-1' in the shape of x"),
    ],
)
def test_a_signature_that_no_tensor_fits(
    bring: Bring, tmp_path: Path, dtype: str, first: int | str, said: str
) -> None:
    wanted = Signature((TensorSpec("x", dtype, (first, 3, 16, 16)),))
    path = script(net(), tmp_path / "net.pt")
    assert said in refused(bring, path, BadRequest, signature=wanted).message


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("form", ["torchscript", "exported", "onnx", "state_dict", "safetensors"])
def test_every_form_cut_short(
    bring: Bring, tmp_path: Path, digits: dict[str, Any], form: str, keep: float
) -> None:
    import torch
    from safetensors.torch import save_file

    path = tmp_path / "model"
    if form == "torchscript":
        script(net(), path)
    elif form == "exported":
        export(net(), path)
    elif form == "onnx":
        path.write_bytes(onnx_model().SerializeToString())
    elif form == "state_dict":
        torch.save(digits, path)
    else:
        save_file(digits, path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    refused(bring, path, InvalidModel, architecture="digits")


@pytest.mark.parametrize("form", ["torchscript", "exported", "onnx", "state_dict"])
def test_changed_bytes_never_surprise(
    bring: Bring, tmp_path: Path, digits: dict[str, Any], form: str
) -> None:
    """Whatever a flipped byte does, it ends in a model or in a sentence."""
    import torch

    path = tmp_path / "model"
    if form == "torchscript":
        script(net(), path)
    elif form == "exported":
        export(net(), path)
    elif form == "onnx":
        path.write_bytes(onnx_model().SerializeToString())
    else:
        torch.save(digits, path)
    data, stream = path.read_bytes(), random.Random(7)
    for _ in range(25):
        changed = bytearray(data)
        changed[stream.randrange(len(data))] = stream.randrange(256)
        path.write_bytes(changed)
        with contextlib.suppress(EngineError):
            bring(path, architecture="digits")


def test_a_zip_of_something_else_says_what_it_holds(bring: Bring, tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"holiday.jpg": b"x", "notes.txt": b"y"})
    assert "'holiday.jpg'" in refused(bring, path, InvalidModel).message


def test_weights_without_config_say_what_is_missing(bring: Bring, tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"model.safetensors": b"x"})
    assert "config.json is missing" in refused(bring, path, InvalidModel).message


@pytest.mark.parametrize(
    "change",
    [
        ("location", "../secret"),
        ("location", "/etc/passwd"),
        ("location", "sub/../../secret"),
        ("location", "data.bin\\..\\x"),
        ("offset", "-1"),
        ("length", "99999999999999999999x"),
        ("__class__", "x"),
    ],
)
def test_external_data_that_reaches_out(
    bring: Bring, tmp_path: Path, change: tuple[str, str]
) -> None:
    (tmp_path / "secret").write_bytes(bytes(4096))

    def set_entry(graph: Any) -> None:
        entries = graph.graph.initializer[0].external_data
        key, value = change
        for entry in entries:
            if entry.key == key:
                entry.value = value
                return
        entry = entries.add()
        entry.key, entry.value = key, value

    refused(bring, with_external_data(tmp_path / "m", set_entry), UnsafeModel)


@pytest.mark.parametrize("length", [1 << 45, 8])
def test_external_data_of_the_wrong_length(bring: Bring, tmp_path: Path, length: int) -> None:
    def lengthen(graph: Any) -> None:
        for entry in graph.graph.initializer[0].external_data:
            if entry.key == "length":
                entry.value = str(length)

    refused(bring, with_external_data(tmp_path / "m", lengthen), InvalidModel)


@pytest.mark.parametrize("how", ["symlink", "hard link", "linked folder", "fifo"])
def test_external_data_that_is_a_link(bring: Bring, tmp_path: Path, how: str) -> None:
    folder = with_external_data(tmp_path / "m")
    data, elsewhere = folder / "data.bin", tmp_path / "elsewhere"
    elsewhere.mkdir()
    data.rename(elsewhere / "data.bin")
    if how == "symlink":
        data.symlink_to(elsewhere / "data.bin")
    elif how == "hard link":
        os.link(elsewhere / "data.bin", data)
    elif how == "fifo":
        os.mkfifo(data)
    else:
        import onnx

        (folder / "sub").symlink_to(elsewhere)
        graph = onnx.load(str(folder / "model.onnx"), load_external_data=False)
        for tensor in graph.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = "sub/data.bin"
        (folder / "model.onnx").write_bytes(graph.SerializeToString())
    refused(bring, folder, UnsafeModel)


def test_external_data_that_was_not_brought(bring: Bring, tmp_path: Path) -> None:
    folder = with_external_data(tmp_path / "m")
    error = refused(bring, folder / "model.onnx", InvalidModel)
    assert "data.bin" in error.message and "zip" in error.hint


def test_custom_operators_are_named(bring: Bring, tmp_path: Path) -> None:
    path = tmp_path / "c.onnx"
    path.write_bytes(onnx_model("com.example.mine").SerializeToString())
    assert "com.example.mine::MatMul" in refused(bring, path, UnsupportedModel).message


def test_custom_operators_are_named_where_only_training_has_them(
    bring: Bring, tmp_path: Path
) -> None:
    model = onnx_model()
    model.training_info.add().algorithm.node.add(op_type="Steal", domain="com.example.mine")
    path = tmp_path / "c.onnx"
    path.write_bytes(model.SerializeToString())
    assert "com.example.mine::Steal" in refused(bring, path, UnsupportedModel).message


def test_a_zip_whose_graph_lies_deeper_than_its_other_files(bring: Bring, tmp_path: Path) -> None:
    members = {"notes.txt": b"x", "inside/model.onnx": onnx_model().SerializeToString()}
    path = zipped(tmp_path / "m.zip", members)
    assert "at the top" in refused(bring, path, InvalidModel).hint


def test_a_keras_file_without_its_config(bring: Bring, tmp_path: Path) -> None:
    path = zipped(tmp_path / "m.keras", {"model.weights.h5": b"x"})
    assert "config.json is missing" in refused(bring, path, InvalidModel).message


def test_a_graph_that_is_not_valid_names_the_reason(bring: Bring, tmp_path: Path) -> None:
    model = onnx_model()
    model.graph.node[1].input[0] = "nowhere"
    path = tmp_path / "c.onnx"
    path.write_bytes(model.SerializeToString())
    assert "nowhere" in refused(bring, path, InvalidModel).message


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel):
        identify(tmp_path)
