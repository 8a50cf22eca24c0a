"""What an ONNX file says of itself: its graph, signature, operators and facts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import UnsupportedModel
from engine.onnxfile import graph_only, nodes
from engine.types import Dim, Signature, TensorSpec


def read_signature(path: Path) -> Signature:
    """Names, dtypes and shapes as the graph declares them; a nameless dynamic axis gets a name."""
    graph = graph_only(path).graph
    weights = {item.name for item in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    return Signature(
        inputs=tuple(_spec(value) for value in inputs),
        outputs=tuple(_spec(value) for value in graph.output),
    )


def _spec(value: Any) -> TensorSpec:
    import onnx

    tensor = value.type.tensor_type
    known = onnx.helper.get_all_tensor_dtypes()
    dtype = "none"
    if value.type.HasField("tensor_type") and tensor.elem_type in known:
        dtype = str(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    if dtype not in np.sctypeDict:
        raise UnsupportedModel(
            f"{value.name!r} is a {value.type.WhichOneof('value') or 'value'} of a type "
            "that numpy has no array for.",
            hint="Only models with plain numeric tensors as inputs and outputs are run.",
        )
    dims = tuple(_dim(value.name, axis, dim) for axis, dim in enumerate(tensor.shape.dim))
    return TensorSpec(value.name, dtype, dims)


def _dim(name: str, axis: int, dim: Any) -> Dim:
    if dim.HasField("dim_value"):
        return int(dim.dim_value)
    return str(dim.dim_param) or ("batch" if axis == 0 else f"{name}_{axis}")


def describe(path: Path) -> tuple[int | None, dict[str, int], dict[str, str]]:
    """Parameters (floating weights), how often each operator occurs, and facts."""
    import onnx

    model = graph_only(path)
    opsets = (f"{item.domain or 'ai.onnx'} {item.version}" for item in model.opset_import)
    facts = {
        "Opset": ", ".join(opsets),
        "IR version": str(model.ir_version),
        "Producer": f"{model.producer_name} {model.producer_version}".strip() or "not said",
    }
    floating = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
    weights = {item.name: item for item in model.graph.initializer if item.data_type in floating}
    sizes = {name: int(np.prod(item.dims, dtype=np.int64)) for name, item in weights.items()}
    if sizes:
        name = max(sizes, key=lambda key: sizes[key])
        facts["Largest tensor"] = f"{name} {list(weights[name].dims)}, {sizes[name]:,} values"
    operators = Counter(node.op_type for node in nodes(model.graph))
    return sum(sizes.values()), dict(operators.most_common()), facts
