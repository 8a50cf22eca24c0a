"""ONNX: the open graph format, run by ONNX Runtime. A file, or a folder with external data."""

from __future__ import annotations

from engine.formats.onnx import changing, export, from_savedmodel
from engine.formats.onnx.options import OnnxOptions
from engine.formats.onnx.reading import describe, read_signature
from engine.formats.onnx.runner import OnnxRunner
from engine.lazy import Requirement
from engine.onnxfile import load, tensor_bytes
from engine.registry import Format

__all__ = ["FORMAT", "OnnxOptions", "changing", "export", "from_savedmodel"]

FORMAT = Format(
    name="onnx",
    label="ONNX",
    runtime="ONNX Runtime",
    suffix=".onnx",
    requires=(
        Requirement("onnx", "onnx"),
        Requirement("onnxruntime", "onnxruntime"),
        Requirement("onnxscript", "onnxscript"),
    ),
    load=load,
    open_runner=OnnxRunner,
    read_signature=read_signature,
    describe=describe,
    import_module="onnxruntime",
    concurrent=True,
    tensor_bytes=tensor_bytes,
    options=OnnxOptions,
)
