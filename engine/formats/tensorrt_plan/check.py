"""What TensorRT will say to a graph, said before there is a GPU: operators, Q/DQ pairs, opset."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import UnsupportedModel
from engine.nvidia import GENERATIONS

_TABLE = Path(__file__).with_name("operators.json")
_STANDARD = ("", "ai.onnx")
_Q, _DQ = "QuantizeLinear", "DequantizeLinear"
_MULTIPLYING = frozenset(("Conv", "ConvTranspose", "Gemm", "MatMul"))
_SHOWN = 5


@cache
def table() -> Mapping[str, Any]:
    """TensorRT's published operator list, with its sources."""
    read: Mapping[str, Any] = json.loads(_TABLE.read_text(encoding="utf-8"))
    return read


def nodes_of(model: Any) -> Iterator[Any]:
    """Every node: of the graph, of branches and loops, of the functions the model brings."""
    yield from _nodes(model.graph.node)
    for function in model.functions:
        yield from _nodes(function.node)


def _nodes(nodes: Any) -> Iterator[Any]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g.node)


def operators(model: Any) -> dict[str, int]:
    """How often each operator occurs."""
    return dict(Counter(node.op_type for node in nodes_of(model)).most_common())


def is_quantized(model: Any) -> bool:
    """Whether the graph carries Q/DQ pairs."""
    return any(node.op_type in (_Q, _DQ) for node in nodes_of(model))


def refuse_unsupported(model: Any, generation: str) -> None:
    """Raise UnsupportedModel naming every operator this generation's parser does not take."""
    own = {(function.domain, function.name) for function in model.functions}
    wrong: dict[str, list[str]] = {}
    for node in nodes_of(model):
        if (node.domain, node.op_type) not in own and _refused(node, generation):
            name = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
            wrong.setdefault(name, []).append(node.name or node.output[0])
    if not wrong:
        return
    listed = "; ".join(
        f"{name} ({len(at)}×, first at {at[0]!r})" for name, at in list(wrong.items())[:_SHOWN]
    )
    more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    raise UnsupportedModel(
        f"TensorRT {generation} has no {listed}{more}.",
        hint="Write these parts of the model with other operators, or keep it in ONNX Runtime, "
        "which runs them.",
    )


def _refused(node: Any, generation: str) -> bool:
    """Whether the table rules the node out; what is newer than the table is left to the parser."""
    if node.domain not in _STANDARD:
        return True
    known = table()["operators"]
    since = known.get(node.op_type, generation)
    return since is None or GENERATIONS.index(since) > GENERATIONS.index(generation)


def remarks(model: Any) -> tuple[str, ...]:
    """What the parser asks of operators in this graph, and what the table says nothing about."""
    known, limits = table()["operators"], table()["limits"]
    here = operators(model)
    own = {function.name for function in model.functions}
    unknown = [name for name in here if name not in known and name not in own]
    limited = "; ".join(f"{name} ({limits[name]})" for name in here if name in limits)
    found = [f"Taken by TensorRT with limits: {limited}."] if limited else []
    if unknown:
        names = ", ".join(unknown)
        found.append(f"Not in TensorRT's published list, so its parser decides: {names}.")
    return (*found, *_computed(model))


def _computed(model: Any) -> Iterator[str]:
    """Inputs that TensorRT wants constant and the graph computes."""
    constant = {item.name for item in model.graph.initializer}
    constant |= {
        name for node in nodes_of(model) if node.op_type == "Constant" for name in node.output
    }
    for node in nodes_of(model):
        for at in table()["constant_inputs"].get(node.op_type, ()):
            name = node.input[at] if at < len(node.input) else ""
            if name and name not in constant:
                yield (
                    f"{node.op_type} {node.name or node.output[0]!r}: input {name!r} must be known "
                    "when the engine is built; the graph computes it."
                )


def check_quantization(model: Any) -> tuple[str, ...]:
    """Remarks on the Q/DQ pairs. Raises UnsupportedModel unless they are symmetric INT8."""
    import onnx

    constants = {item.name: item for item in model.graph.initializer}
    wrong = []
    for node in nodes_of(model):
        if node.op_type not in (_Q, _DQ):
            continue
        point = constants.get(node.input[2]) if len(node.input) > 2 else None
        if point is None:
            signed = any(
                item.name == "output_dtype" and item.i == onnx.TensorProto.INT8
                for item in node.attribute
            )
            symmetric = signed or node.op_type == _DQ
        else:
            values = onnx.numpy_helper.to_array(point)
            symmetric = point.data_type != onnx.TensorProto.UINT8 and not np.any(values)
        if not symmetric:
            wrong.append(node.name or node.output[0])
    if wrong:
        raise UnsupportedModel(
            f"TensorRT takes signed INT8 with zero point 0; {len(wrong)} of the Q/DQ nodes have "
            f"another type or zero point (first at {wrong[0]!r}).",
            hint="Quantize again with QInt8 activations and weights, and ActivationSymmetric.",
        )
    return _placement(model)


def _placement(model: Any) -> tuple[str, ...]:
    made = {name for node in nodes_of(model) if node.op_type == _DQ for name in node.output}
    heavy = [node for node in nodes_of(model) if node.op_type in _MULTIPLYING]
    bare = [node for node in heavy if not set(node.input[:2]) <= made]
    note = f"{len(heavy) - len(bare)} of {len(heavy)} convolutions and products run in INT8."
    if not bare:
        return (note,)
    names = ", ".join(node.name or node.output[0] for node in bare[:_SHOWN])
    return (note, f"Without a DequantizeLinear on both inputs, these stay FP32: {names}.")


def fold_biases(model: Any) -> int:
    """Turn dequantized INT32 constants into float ones; gives how many.

    ONNX Runtime quantizes biases so; TensorRT dequantizes no INT32.
    """
    import onnx
    from onnx import numpy_helper

    constants = {item.name: item for item in model.graph.initializer}
    folded = []
    for node in model.graph.node:
        given = constants.get(node.input[0]) if node.op_type == _DQ else None
        scale = constants.get(node.input[1]) if given is not None else None
        if given is None or scale is None or given.data_type != onnx.TensorProto.INT32:
            continue
        factor = numpy_helper.to_array(scale)
        value = (numpy_helper.to_array(given) * factor).astype(factor.dtype)
        model.graph.initializer.append(numpy_helper.from_array(value, node.output[0]))
        folded.append(node)
    for node in folded:
        model.graph.node.remove(node)
    _drop_unused(model)
    return len(folded)


def _drop_unused(model: Any) -> None:
    used = {name for node in nodes_of(model) for name in node.input}
    used |= {value.name for value in model.graph.output}
    for item in [item for item in model.graph.initializer if item.name not in used]:
        model.graph.initializer.remove(item)
