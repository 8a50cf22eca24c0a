"""Zips that reach out, or swell (families 30 and 31)."""

from __future__ import annotations

import io
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.hostile.case import Case, Traps

UNSAFE = ("unsafe_model",)
INVALID = ("invalid_model",)


def _zip(add: Callable[[zipfile.ZipFile, Traps], None]) -> Callable[[Path, Traps], Path]:
    def make(folder: Path, traps: Traps) -> Path:
        path = folder / "model.zip"
        with zipfile.ZipFile(path, "w") as file:
            add(file, traps)
        return path

    return make


def _named(name: str, mode: int = 0) -> Callable[[Path, Traps], Path]:
    def add(file: zipfile.ZipFile, traps: Traps) -> None:
        info = zipfile.ZipInfo("placeholder")
        info.filename, info.external_attr = name, mode << 16
        file.writestr(info, str(traps.secret))

    return _zip(add)


def _bomb(file: zipfile.ZipFile, traps: Traps) -> None:
    file.writestr("model.onnx", bytes(64 << 20), zipfile.ZIP_DEFLATED)


def _cases(file: zipfile.ZipFile, traps: Traps) -> None:
    file.writestr("Model.onnx", b"1")
    file.writestr("model.onnx", b"2")


def _nested(file: zipfile.ZipFile, traps: Traps) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as held:
        held.writestr("model.onnx", b"x")
    file.writestr("model.zip", inner.getvalue())


def _twice(file: zipfile.ZipFile, traps: Traps) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file.writestr("model.onnx", b"1")
        file.writestr("model.onnx", b"2")


def _file_and_folder(file: zipfile.ZipFile, traps: Traps) -> None:
    file.writestr("model.onnx", b"1")
    file.writestr("model.onnx/data.bin", b"2")


def _other_method(file: zipfile.ZipFile, traps: Traps) -> None:
    file.writestr("model.onnx", b"1" * 99, zipfile.ZIP_BZIP2)


def _many(file: zipfile.ZipFile, traps: Traps) -> None:
    for index in range(70_000):
        file.writestr(f"{index}", b"")


def _changed(change: Callable[[bytearray], bytes]) -> Callable[[Path, Traps], Path]:
    def make(folder: Path, traps: Traps) -> Path:
        path = folder / "model.zip"
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("model.onnx", b"0123456789" * 100)
        path.write_bytes(change(bytearray(path.read_bytes())))
        return path

    return make


def _encrypted(data: bytearray) -> bytes:
    """The flag that says so, in both headers."""
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return data


def _lying(data: bytearray) -> bytes:
    """The directory says ten bytes."""
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", 10)
    return data


def _behind_a_program(data: bytearray) -> bytes:
    return b"#!/bin/sh\n" + bytes(data)


def _before_a_program(data: bytearray) -> bytes:
    return bytes(data) + b"\n#!/bin/sh\n"


def _overlapping(folder: Path, traps: Traps) -> Path:
    """Two names, one piece of the file."""
    path = folder / "model.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model.onnx", b"0" * 1000)
        file.writestr("data.bin", b"1" * 1000)
    data = bytearray(path.read_bytes())
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    data[second + 42 : second + 46] = struct.pack("<I", 0)
    path.write_bytes(data)
    return path


CASES = [
    Case(30, "one folder up", _named("../evil.onnx"), UNSAFE, "../evil"),
    Case(30, "an absolute path", _named("/etc/evil.onnx"), UNSAFE, "/etc/evil"),
    Case(30, "a path of Windows", _named("..\\evil.onnx"), UNSAFE, "malformed"),
    Case(30, "a link", _named("model.onnx", stat.S_IFLNK | 0o777), UNSAFE, "a link"),
    Case(30, "a pipe", _named("model.onnx", stat.S_IFIFO | 0o644), UNSAFE),
    Case(30, "a setuid program", _named("model.onnx", stat.S_IFREG | stat.S_ISUID | 0o755), UNSAFE),
    Case(31, "a bomb", _zip(_bomb), UNSAFE, "bomb"),
    Case(31, "a size that is a lie", _changed(_lying), UNSAFE, "two different sizes"),
    Case(31, "entries that share their bytes", _overlapping, UNSAFE, "shares its bytes"),
    Case(31, "70,000 entries", _zip(_many), UNSAFE, "70,000"),
    Case(31, "an archive in the archive", _zip(_nested), INVALID, "holds no model"),
    Case(31, "encrypted", _changed(_encrypted), UNSAFE, "encrypted"),
    Case(31, "a program before the zip", _changed(_behind_a_program), INVALID),
    Case(31, "names that differ in case", _zip(_cases), UNSAFE, "twice"),
    Case(31, "one name twice", _zip(_twice), UNSAFE, "twice"),
    Case(31, "a file that is a folder", _zip(_file_and_folder), UNSAFE, "a file and a folder"),
    Case(31, "another compression", _zip(_other_method), UNSAFE, "compressed in a way"),
    Case(31, "something behind the zip", _changed(_before_a_program), INVALID, "appended"),
    Case(30, "a drive of Windows", _named("C:evil.onnx"), UNSAFE, "C:evil"),
    Case(30, "a name of a thousand folders", _named("a/" * 1000 + "b"), UNSAFE, "malformed"),
]
