"""SavedModel → ONNX, by tf2onnx: the signature is frozen, its graph rewritten node by node."""

from __future__ import annotations

import logging
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import ConversionError, EngineError, UnsupportedModel
from engine.files import disk_errors, link_or_copy
from engine.formats.onnx.finishing import finished
from engine.formats.onnx.options import OnnxOptions
from engine.lazy import Requirement, require
from engine.onnxfile import nodes, save
from engine.opsets import moved, opset_of
from engine.registry import Conversion, converter
from engine.registry import load as load_artifact
from engine.tensors import first_line
from engine.types import Artifact, Signature, Step

_TF2ONNX = Requirement("tf2onnx", "tf2onnx")
NEWEST = 18
"""The newest opset that tf2onnx writes."""
_NAMED = 5
_GRAPH, _XLA = "saved_model.pb", "_XlaMustCompile"
_ELSEWHERE = "Deploy it as SavedModel, which it is already, or leave these operators out of it."


@converter("savedmodel", "onnx")
def onnx_from_savedmodel(source: Artifact, out: Path, options: OnnxOptions) -> Conversion:
    """Names, order and dynamic axes stay as the signature has them."""
    opset = min(options.opset, NEWEST)
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            model = _rewritten(load_artifact(_without_xla(source, Path(scratch))), opset)
    except (EngineError, MemoryError):
        raise
    except Exception as error:
        raise _failed(error) from error
    _check_operators(model)
    _declare(model, source.signature)
    model, notes = _raised(model, options.opset)
    save(model, out)
    step = Step("rewrite", "tf2onnx", _TF2ONNX.version or "", {}, notes)
    return finished(out, source, step, options)


def _raised(model: Any, opset: int) -> tuple[Any, tuple[str, ...]]:
    """At the opset asked for, which tf2onnx may not write; as it is where onnx cannot move it."""
    written = opset_of(model)
    if written >= opset:
        return model, ()
    try:
        made = moved(model, opset)
    except UnsupportedModel as error:
        return model, (f"tf2onnx writes opset {written} at most. {error.message}",)
    return made, (f"Written by tf2onnx with opset {written}, then moved to {opset}.",)


def _rewritten(loaded: Any, opset: int) -> Any:
    """The ModelProto of a loaded SavedModel's signature, under the model's own names."""
    import tensorflow as tf

    loader = require("tf2onnx.tf_loader", "tf2onnx")
    converting = require("tf2onnx.tfonnx", "tf2onnx")
    optimizer = require("tf2onnx.optimizer", "tf2onnx")
    inputs, outputs = _tensors(loaded)
    with tf.device("/cpu:0"):
        frozen, tables = loader.from_trackable(
            loaded.model, loaded.function, list(inputs), list(outputs), False
        )
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(frozen, name="")
            made = converting.process_tf_graph(
                graph,
                opset=opset,
                input_names=list(inputs),
                output_names=list(outputs),
                tensors_to_rename={**inputs, **outputs},
                initialized_tables=tables,
                custom_op_handlers={"Erfc": (_erfc, [])},
            )
    return optimizer.optimize_graph(made, True).make_model("converted from SavedModel")


def _erfc(graph: Any, node: Any, name: str, arguments: Any) -> None:
    """``1 - Erf``, for what tf2onnx leaves out: Keras writes its exact GELU with Erfc."""
    import onnx

    dtype, shape = graph.get_dtype(node.output[0]), graph.get_shape(node.output[0])
    kind = onnx.helper.tensor_dtype_to_np_dtype(dtype)
    one = graph.make_const(f"{name}/one", np.ones((), kind))
    outputs, inputs = node.output, node.input
    graph.remove_node(name)
    erf = graph.make_node("Erf", [inputs[0]], shapes=[shape], dtypes=[dtype])
    graph.make_node(
        "Sub",
        [one.output[0], erf.output[0]],
        name=name,
        outputs=outputs,
        shapes=[shape],
        dtypes=[dtype],
    )


def _without_xla(source: Artifact, scratch: Path) -> Artifact:
    """The model without the mark "compile this with XLA", which keeps a function from inlining.

    Keras sets it on grouped convolutions. A copy in ``scratch`` where it was there.
    """
    if not any(_XLA.encode() in item.read_bytes() for item in source.path.rglob(_GRAPH)):
        return source
    protos = require("tensorflow.core.protobuf.saved_model_pb2", "tensorflow-cpu")
    copy = scratch / "unmarked"
    with disk_errors():
        shutil.copytree(source.path, copy, copy_function=link_or_copy)
        for path in copy.rglob(_GRAPH):
            saved = protos.SavedModel.FromString(path.read_bytes())
            for graph in saved.meta_graphs:
                for function in graph.graph_def.library.function:
                    for item in (function, *function.node_def):
                        item.attr.pop(_XLA, None)
            path.unlink()
            path.write_bytes(saved.SerializeToString())
    return replace(source, path=copy)


def _tensors(loaded: Any) -> tuple[dict[str, str], dict[str, str]]:
    """The tensors a signature takes and gives, each with the model's own name for it."""
    function, names = loaded.function, loaded.names
    # A signature's arguments and results are ordered by name; captured variables follow.
    arguments = sorted(function.structured_input_signature[1])
    results = sorted(function.structured_outputs)
    own_inputs = {argument: name for name, argument in names.inputs.items()}
    own_outputs = {result: name for name, result in names.outputs.items()}
    inputs = {
        tensor.name: own_inputs[argument]
        for argument, tensor in zip(arguments, function.inputs, strict=False)
    }
    outputs = {
        tensor.name: own_outputs[result]
        for result, tensor in zip(results, function.outputs, strict=True)
    }
    return inputs, outputs


def _check_operators(model: Any) -> None:
    """tf2onnx leaves what it cannot express in the graph as it was. Raises UnsupportedModel."""
    import onnx

    foreign: dict[str, list[str]] = {}
    for node in nodes(model.graph):
        if not onnx.defs.has(node.op_type, node.domain):
            foreign.setdefault(node.op_type, []).append(node.name)
    if foreign:
        listed = "; ".join(
            f"{operator} ({', '.join(map(repr, names[:_NAMED]))}"
            f"{f' and {len(names) - _NAMED} more' if len(names) > _NAMED else ''})"
            for operator, names in foreign.items()
        )
        raise UnsupportedModel(
            f"ONNX has no form of {len(foreign)} of this model's TensorFlow operators: {listed}.",
            hint=_ELSEWHERE,
        )


def _declare(model: Any, signature: Signature) -> None:
    """Inputs and outputs as the signature has them: order, names of axes, unused inputs too."""
    import onnx

    for values, specs in (
        (model.graph.input, signature.inputs),
        (model.graph.output, signature.outputs),
    ):
        if specs:
            del values[:]
        for spec in specs:
            kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))
            values.append(onnx.helper.make_tensor_value_info(spec.name, kind, spec.shape))


def _failed(error: Exception) -> EngineError:
    text = str(error)
    if "maximum protobuf size" in text or ("exceeds" in text and "2GB" in text):
        return UnsupportedModel(
            "This SavedModel has more than 2 GB of weights, which tf2onnx writes into one graph.",
            hint="Deploy it as SavedModel, which it is already.",
        )
    said = first_line(text.removeprefix("make_sure failure: ")).rstrip(".")
    return ConversionError(
        f"tf2onnx cannot rewrite this model: {said}.",
        hint=_ELSEWHERE,
    )
