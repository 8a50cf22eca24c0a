"""SavedModels whose graph reaches outside (family 26), written by hand."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.hostile.case import Case, Traps


def graph_with(operator: str) -> bytes:
    """A ``saved_model.pb`` with one function whose only node is that operator."""
    from tensorflow.core.protobuf import saved_model_pb2

    message = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    graph = message.meta_graphs.add()
    graph.meta_info_def.tags.append("serve")
    function = graph.graph_def.library.function.add()
    function.signature.name = "__inference_run_1"
    node = function.node_def.add(name="n", op=operator)
    node.input.append("x")
    call = graph.graph_def.node.add(name="call", op="StatefulPartitionedCall")
    call.attr["f"].func.name = function.signature.name
    signature = graph.signature_def["serving_default"]
    signature.method_name = "tensorflow/serving/predict"
    for tensors, name, at in ((signature.inputs, "x", "x:0"), (signature.outputs, "y", "call:0")):
        tensors[name].name, tensors[name].dtype = at, 1
    graph.object_graph_def.nodes.add()
    data: bytes = message.SerializeToString()
    return data


def _graph(operator: str) -> Callable[[Path, Traps], Path]:
    def make(folder: Path, traps: Traps) -> Path:
        path = folder / "model.zip"
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("saved_model.pb", graph_with(operator))
            file.writestr("variables/variables.index", b"")
            file.writestr("variables/variables.data-00000-of-00001", b"")
        return path

    return make


CASES = [
    *(
        Case(26, f"a graph with {operator}", _graph(operator), ("unsafe_model",), operator)
        for operator in ("ReadFile", "WriteFile", "EagerPyFunc", "CalibrationStatisticsSaver")
    ),
    Case(26, "an operator of nobody's", _graph("EvilOp"), ("unsupported",), "EvilOp"),
]
