"""What the stand-in for TensorRT knows of a graph: its types, its layers, and its answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto

_KINDS = {
    TensorProto.FLOAT: "FLOAT",
    TensorProto.FLOAT16: "HALF",
    TensorProto.INT8: "INT8",
    TensorProto.INT32: "INT32",
    TensorProto.INT64: "INT64",
    TensorProto.BOOL: "BOOL",
    TensorProto.UINT8: "UINT8",
}
_WORDS = {
    "FLOAT": ("Row major linear FP32", "Float"),
    "HALF": ("Row major linear FP16 format", "Half"),
    "INT8": ("Row major Int8 format", "Int8"),
}
_NO_IMPORTER = {"Compress", "Det", "Unique", "DynamicQuantizeLinear", "MatMulInteger"}

Kinds = dict[str, tuple[str, tuple[Any, ...]]]
"""By tensor: TensorRT's name of its type, and its shape."""


def kinds_of(model: bytes, *, no_int64: bool) -> tuple[Kinds, Kinds]:
    """Inputs and outputs. TensorRT 8 has no INT64 and takes INT32 in its place."""
    graph = onnx.load_from_string(model).graph
    weights = {item.name for item in graph.initializer}

    def kinds(values: Any) -> Kinds:
        found = {}
        for value in values:
            tensor = value.type.tensor_type
            shape = tuple(
                int(dim.dim_value) if dim.HasField("dim_value") else dim.dim_param
                for dim in tensor.shape.dim
            )
            kind = _KINDS[tensor.elem_type]
            found[value.name] = ("INT32" if no_int64 and kind == "INT64" else kind, shape)
        return found

    return kinds(value for value in graph.input if value.name not in weights), kinds(graph.output)


class Session:
    """Answers of the graph, by ONNX Runtime, in the graph's own types."""

    def __init__(self, model: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )
        self._dependent = any(
            node.op_type == "NonZero" for node in onnx.load_from_string(model).graph.node
        )
        self._wide = {
            item.name: "int64" for item in self._session.get_inputs() if "int64" in item.type
        }

    def run(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        names = [item.name for item in self._session.get_outputs()]
        given = {
            name: array.astype(self._wide.get(name, array.dtype)) for name, array in feed.items()
        }
        return dict(zip(names, self._session.run(names, given), strict=True))

    def output_shape(
        self, name: str, shapes: Mapping[str, tuple[int, ...]], inputs: Kinds
    ) -> tuple[int, ...]:
        """The shape an output has for these inputs; -1 where data decide."""
        if self._dependent:
            return (-1, -1)
        types = {"FLOAT": "float32", "HALF": "float16"}
        zeros = {
            item: np.zeros(shapes[item], types.get(kind, kind.lower()))
            for item, (kind, _) in inputs.items()
        }
        return tuple(self.run(zeros)[name].shape)


class Layers:
    """The graph as layers: what is refused, what is warned of, and in which type each answers."""

    def __init__(self, model: bytes) -> None:
        self._model = onnx.load_from_string(model)
        self._graph = self._model.graph
        self._constants = {item.name: item for item in self._graph.initializer}

    @property
    def dynamic_inputs(self) -> list[str]:
        return [
            value.name
            for value in self._graph.input
            if any(not dim.HasField("dim_value") for dim in value.type.tensor_type.shape.dim)
        ]

    @property
    def is_quantized(self) -> bool:
        pairs = ("QuantizeLinear", "DequantizeLinear")
        return any(node.op_type in pairs for node in self._graph.node)

    @property
    def has_half(self) -> bool:
        return any(item.data_type == TensorProto.FLOAT16 for item in self._graph.initializer)

    def refused(self) -> Iterator[tuple[str, str, str, int]]:
        """(text, operator, node, index) of each node the parser has no importer for."""
        for index, node in enumerate(self._graph.node):
            where = node.op_type, node.name, index
            if node.domain not in ("", "ai.onnx") or node.op_type in _NO_IMPORTER:
                yield f"No importer registered for op: {node.op_type}", *where
            if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
                wrong = self._wrong_pair(node)
                if wrong:
                    yield wrong, *where

    def _wrong_pair(self, node: Any) -> str:
        given = self._constants.get(node.input[0])
        if given is not None and given.data_type == TensorProto.INT32:
            return "Assertion failed: DequantizeLinear of INT32"
        point = self._constants.get(node.input[2]) if len(node.input) > 2 else None
        if point is not None and np.any(onnx.numpy_helper.to_array(point)):
            return "Assertion failed: zero point must be 0"
        return ""

    def warnings(self, generation: str) -> Iterator[str]:
        """What the builder says of this graph."""
        types = self._types()
        for node in self._graph.node:
            half = types.get(node.output[0]) == TensorProto.FLOAT16
            if node.op_type == "LayerNormalization" and half:
                yield "Detected layernorm nodes in FP16: " + node.name
        int64 = any(item.data_type == TensorProto.INT64 for item in self._graph.initializer)
        if generation == "8.5" and int64:
            yield (
                "onnx2trt_utils.cpp:375: Your ONNX model has been generated with INT64 weights, "
                "while TensorRT does not natively support INT64. Attempting to cast down to INT32."
            )

    def inspected(self, generation: str) -> list[dict[str, Any]]:
        """The layers as the engine inspector of that generation writes them."""
        types = self._types()
        found = []
        for node in self._graph.node:
            moved = node.op_type in ("Cast", "Reshape")
            outputs = [
                {"Name": name, **_written(_KINDS.get(types.get(name, 1), "FLOAT"), generation)}
                for name in node.output
            ]
            kind = "Reformat" if moved else node.op_type
            found.append({"Name": node.name, "LayerType": kind, "Outputs": outputs})
        return found

    def _types(self) -> dict[str, int]:
        inferred = onnx.shape_inference.infer_shapes(self._model).graph
        values = (*inferred.value_info, *inferred.output, *inferred.input)
        return {value.name: value.type.tensor_type.elem_type for value in values}


def _written(kind: str, generation: str) -> dict[str, str]:
    long, short = _WORDS.get(kind, (kind, kind))
    if generation == "8.5":
        return {"Format/Datatype": long}
    if generation == "10":
        return {"Format/Datatype": short}
    return {"Format": "Row major linear", "DataType": short}
