"""What a file is, by its bytes. Its name is only ever compared with them afterwards."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import BinaryIO

from engine.errors import EngineError, InvalidModel, UnsupportedModel
from engine.sources import archive
from engine.sources.model import Found

TAKES = (
    "Assay takes ONNX (.onnx, or a zip with its external data), TorchScript, torch.export (.pt2), "
    "a state_dict (.pt, .pth, .safetensors), a zip of a Hugging Face folder or of a TensorFlow "
    "SavedModel, a Keras model (.keras), or a language model as GGUF (.gguf)."
)
LABELS = {
    "torchscript": "TorchScript",
    "exported": "torch.export",
    "onnx": "ONNX",
    "safetensors": "safetensors weights",
    "state_dict": "a PyTorch state_dict",
    "huggingface": "a Hugging Face folder",
    "own_code": "a model.py with its weights",
    "savedmodel": "a TensorFlow SavedModel",
    "keras": "a Keras model",
    "gguf": "GGUF",
    "tensorrt_plan": "an ONNX model prepared for TensorRT",
}
_CLAIMS = {
    ".onnx": ("onnx",),
    ".pt2": ("exported",),
    ".safetensors": ("safetensors",),
    ".pt": ("torchscript", "state_dict"),
    ".pth": ("torchscript", "state_dict"),
    ".bin": ("state_dict",),
    ".ckpt": ("state_dict",),
    ".keras": ("keras",),
    ".h5": ("keras",),
    ".pb": ("savedmodel",),
    ".gguf": ("gguf",),
}
WEIGHTS = (".safetensors", ".pt", ".pth", ".bin")
"""How the names of files end that hold weights alone."""
_HEAD = 4096
_VERSION = re.compile(r"[0-9]+/saved_model\.pb", re.ASCII)
"""One of the numbered versions of a SavedModel, as TensorFlow Serving wants them."""
_STRANGERS = (
    (b"\x1f\x8b", "a gzip file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a zstandard file"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
    (b"\x93NUMPY", "a numpy array"),
    (b"ftrt", "a TensorRT engine, which runs only where it was built: bring the ONNX"),
)


def identify(path: Path, name: str | None = None) -> Found:
    """What the file or folder at ``path`` is. Raises InvalidModel or UnsupportedModel.

    ``name`` is what the person calls it; where it promises something else, a note says so.
    """
    called = name or path.name
    kind = _of_folder(path) if path.is_dir() else _of_file(path)
    return Found(kind, path, called, _contradiction(kind, called))


def _contradiction(kind: str, name: str) -> tuple[str, ...]:
    suffix = Path(name).suffix.lower()
    if suffix not in _CLAIMS or kind in _CLAIMS[suffix]:
        return ()
    promised = " or ".join(LABELS[claim] for claim in _CLAIMS[suffix])
    return (f"The name ends in {suffix}, which promises {promised}; its bytes are {LABELS[kind]}.",)


def _of_file(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    size = path.stat().st_size
    if not head:
        raise InvalidModel("This file is empty (0 bytes).", hint=f"Bring it again. {TAKES}")
    if head.startswith(b"PK\x03\x04"):
        with archive.opened(path) as source:
            return _of_zip(source)
    if head.startswith(b"GGUF"):
        return "gguf"
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return "keras"
    if _is_safetensors(head, size):
        return "safetensors"
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "state_dict"
    protobuf = _of_protobuf(path, size)
    if protobuf:
        return protobuf
    raise _stranger(head)


def _is_safetensors(head: bytes, size: int) -> bool:
    """Eight bytes of header length, then that much JSON."""
    if len(head) < 9 or head[8:9] != b"{":
        return False
    (length,) = struct.unpack("<Q", head[:8])
    if length + 8 > size and length < 1 << 32:
        raise InvalidModel(
            f"This begins like safetensors, but its header alone needs {length + 8:,} bytes and "
            f"the file has {size:,}.",
            hint="It was cut short: bring it again.",
        )
    return bool(length + 8 <= size)


def _of_zip(source: archive.Archive) -> str:
    names = tuple(name.removeprefix(source.root) for name in source.names)
    if source.has("constants.pkl") and any(name.startswith("code/") for name in names):
        return "torchscript"
    if source.has("archive_format") and any(name.startswith("models/") for name in names):
        return "exported"
    if source.has("serialized_exported_program.json"):
        raise UnsupportedModel(
            "This torch.export file was written by a PyTorch older than 2.7.",
            hint="Save it again with torch.export.save of a current PyTorch.",
        )
    if source.has("data.pkl"):
        return "state_dict"
    return _of_names(names, "zip")


def _of_folder(path: Path) -> str:
    """A folder, seen one level deep (and into its versions), as a zip of it would be."""
    names = tuple(sorted(item.name for item in path.iterdir() if item.is_file()))
    names += tuple(item.relative_to(path).as_posix() for item in path.glob("*/saved_model.pb"))
    if not names:
        raise InvalidModel("This folder holds no files.", hint=TAKES)
    return _of_names(names, "folder")


def _of_names(names: tuple[str, ...], what: str) -> str:
    """What the members of a zip or folder make up."""
    has = set(names)
    if has & {"model.weights.h5", "model.weights.json"}:
        return "keras"
    if "saved_model.pb" in has or any(_VERSION.fullmatch(name) for name in names):
        return "savedmodel"
    if "config.json" in has and any(_is_weights(name) for name in has):
        return "huggingface"
    if "model.py" in has:
        return "own_code"
    models = [name for name in names if name.lower().endswith(".onnx")]
    if len(models) == 1:
        return "tensorrt_plan" if "tensorrt.json" in has else "onnx"
    if models:
        raise InvalidModel(
            f"This {what} holds {len(models)} ONNX models ({', '.join(models[:3])} …).",
            hint="Bring one at a time, each with its own external data.",
        )
    some = ", ".join(repr(name[:40]) for name in names[:4])
    missing = " (a config.json is missing beside them)" if any(map(_is_weights, has)) else ""
    raise InvalidModel(
        f"This {what} holds no model Assay knows; it has {some}{missing}.", hint=TAKES
    )


def _is_weights(name: str) -> bool:
    return name.endswith(".safetensors") or name.startswith("pytorch_model")


# The fields of ONNX's ModelProto and of a SavedModel, from their published .proto files.
_ONNX_FIELDS = frozenset((1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26))
_ONNX_GRAPH, _ONNX_OPSETS, _MAX_FIELDS = 7, 8, 100_000


def _of_protobuf(path: Path, size: int) -> str | None:
    """``onnx``, ``savedmodel`` or None, from the outermost fields alone; reads no content."""
    seen: list[int] = []
    try:
        with path.open("rb") as file:
            while file.tell() < size:
                seen.append(_skip_field(file, size))
                if len(seen) > _MAX_FIELDS or seen[-1] not in _ONNX_FIELDS:
                    return None
    except EOFError as error:
        if seen[:1] == [1]:
            raise InvalidModel(
                f"This begins like ONNX but ends in the middle, after {size:,} bytes.",
                hint="It was cut short: bring it again.",
            ) from error
        return None
    except ValueError:
        return None
    if _ONNX_GRAPH in seen and (1 in seen or _ONNX_OPSETS in seen):
        return "onnx"
    if seen != [1, 2]:
        return None
    with path.open("rb") as file:
        return "savedmodel" if file.read(3) == b"\x08\x01\x12" else None


def _skip_field(file: BinaryIO, size: int) -> int:
    """Step over one field; gives its number. Raises ValueError (no protobuf) or EOFError (cut)."""
    key = _varint(file)
    number, wire = key >> 3, key & 7
    if wire == 0:
        _varint(file)
    elif wire == 2:
        end = _varint(file) + file.tell()
        if number not in _ONNX_FIELDS:
            raise ValueError("a field that ONNX does not have")
        if end > size:
            raise EOFError
        file.seek(end)
    else:
        raise ValueError("wire type that ONNX does not use")
    return number


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 64, 7):
        byte = file.read(1)
        if not byte:
            raise EOFError
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("varint too long")


def _stranger(head: bytes) -> EngineError:
    """What was brought instead of a model, in one sentence."""
    if head.startswith(b"version https://git-lfs"):
        return InvalidModel(
            "This is a Git LFS pointer: a few lines that stand for the model, not the model.",
            hint="Fetch the file itself with git lfs pull, then bring that.",
        )
    text = head.lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return InvalidModel(
            "This is a web page, not a model; downloads that need a login often end like this.",
            hint="Download the file itself (it is usually much larger), then bring that.",
        )
    if head[257:262] == b"ustar":
        return InvalidModel("This is a tar archive.", hint="Assay opens zip only: zip the files.")
    for magic, what in _STRANGERS:
        if head.startswith(magic):
            return InvalidModel(f"This is {what}, not a model.", hint=TAKES)
    if _is_text(head):
        return InvalidModel("This is a text file, not a model.", hint=TAKES)
    return InvalidModel("These bytes are no model format Assay knows.", hint=TAKES)


def _is_text(head: bytes) -> bool:
    try:
        head[:-4].decode() if len(head) == _HEAD else head.decode()
    except UnicodeDecodeError:
        return False
    return b"\x00" not in head
