"""The driver: an ONNX graph, node by node, as TensorFlow operations.

For each node, in this order: arithmetic on shapes (``dims``) where sizes are partly known; the
handler run at once where all inputs are known; the handler; the body that ONNX gives the operator.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.errors import ConversionError, EngineError, UnsupportedModel
from engine.formats.savedmodel import dims, functions, layouts
from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.table import NAMES, Handler, handler_for
from engine.formats.savedmodel.values import Value
from engine.formats.savedmodel.weights import Weights, safe_name

GROWS = 1 << 14
"""Bytes from which on a result that is larger than its inputs is left to be computed."""


@dataclass
class Scope:
    """Names that nodes see: those of their graph, then those around it."""

    opsets: Mapping[str, int]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Of the function whose body this is, as AttributeProtos."""
    parent: Scope | None = None
    values: dict[str, Value] = field(default_factory=dict)

    def find(self, name: str) -> Value | None:
        """The value of that name; None for the empty name of an absent input."""
        if not name:
            return None
        scope: Scope | None = self
        while scope is not None:
            if name in scope.values:
                return scope.values[name]
            scope = scope.parent
        raise UnsupportedModel(
            f"The graph uses {name!r} before anything makes it.",
            hint="Check the file with onnx.checker.",
        )


class Lowering:
    """One model on its way to TensorFlow. ``weights`` holds the variables it needed."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.weights = Weights()
        self._functions = functions.local_functions(model)
        self._opsets = opsets_of(model.opset_import)
        self._uses = _uses(model.graph)
        self._known = dict(_initializers(model.graph, self.weights))

    def __call__(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """The model's outputs by name, for a tensor for each of its inputs."""
        scope = Scope(self._opsets, values=dict(self._known))
        scope.values.update({name: Value(plain=tensor) for name, tensor in tensors.items()})
        self._nodes(self.model.graph.node, scope)
        found = {item.name: scope.find(item.name) for item in self.model.graph.output}
        return {name: value.plain() for name, value in found.items() if value is not None}

    def graph(self, graph: Any, outer: Scope, inputs: Sequence[Any]) -> list[Value]:
        """A subgraph's outputs, for Values (or tensors) for its inputs."""
        scope = Scope(outer.opsets, outer.attributes, outer)
        scope.values.update(_initializers(graph, self.weights))
        for item, given in zip(graph.input, inputs, strict=False):
            scope.values[item.name] = self._value(given, item.name)
        self._nodes(graph.node, scope)
        return [value for item in graph.output if (value := scope.find(item.name)) is not None]

    def _nodes(self, nodes: Iterable[Any], scope: Scope) -> None:
        for proto in nodes:
            try:
                with tf.name_scope(safe_name(proto.name or proto.op_type)):
                    made = self._node(proto, scope)
            except (EngineError, MemoryError):
                raise
            except Exception as error:
                raise _failed(proto, error) from error
            for name, value in zip(proto.output, made, strict=False):
                if name and value is not None:
                    scope.values[name] = value

    def _node(self, proto: Any, scope: Scope) -> list[Value | None]:
        inputs = [scope.find(name) for name in proto.input]
        domain = NAMES.get(proto.domain, proto.domain)
        opset = scope.opsets.get(domain, 1)
        local = self._functions.get((proto.domain, proto.op_type))
        handler = None if local is not None else handler_for(domain, proto.op_type, opset)
        if handler is None:
            return self._body(proto, opset, local, inputs, scope)
        node = Node(proto, opset, _attributes(proto, scope), inputs, self, scope)
        made = dims.apply(node)
        if made is None and handler.folds and inputs and self._may_fold(proto, inputs):
            made = self._folded(handler, node)
        if made is None:
            made = layouts.call(handler, node)
        results = made if isinstance(made, (tuple, list)) else (made,)
        names = (*node.outputs, *[""] * len(results))
        return [
            None if item is None else self._value(item, name)
            for item, name in zip(results, names, strict=False)
        ]

    def _body(
        self, proto: Any, opset: int, function: Any, inputs: Sequence[Value | None], outer: Scope
    ) -> list[Value | None]:
        """The outputs of an operator that is defined by others."""
        if function is None:
            function = functions.body(_resolved(proto, outer), opset, inputs)
        if function is None:
            raise UnsupportedModel(f"There is no TensorFlow form of {proto.op_type}.")
        given = {item.name: item for item in _resolved(proto, outer).attribute}
        scope = Scope(
            {**outer.opsets, **opsets_of(function.opset_import)},
            {**functions.defaults_of(function), **given},
        )
        for name, value in zip(function.input, inputs, strict=False):
            if value is not None:
                scope.values[name] = value
        absent = [name for name in function.input if name not in scope.values]
        self._nodes([_without(node, absent) for node in function.node], scope)
        wanted = [name if asked else "" for name, asked in _pairs(function.output, proto.output)]
        return [scope.find(name) for name in wanted]

    def _may_fold(self, proto: Any, inputs: Sequence[Value | None]) -> bool:
        """All inputs known, and no large weight that others use as it is."""
        for name, value in zip(proto.input, inputs, strict=True):
            if value is None:
                continue
            if value.array is None or value.array.dtype.kind in "OSU":
                return False
            if value.array.nbytes > GROWS and self._uses.get(name, 1) > 1:
                return False
        return True

    def _folded(self, handler: Handler, node: Node) -> Any:
        """The result computed now; None where it would be much larger than what it is made of."""
        with tf.init_scope():
            made = layouts.call(handler, node)
            results = made if isinstance(made, (tuple, list)) else (made,)
            arrays = tuple(None if item is None else _array(item) for item in results)
        taken = sum(
            value.array.nbytes for value in node.inputs if value and value.array is not None
        )
        given = sum(array.nbytes for array in arrays if array is not None)
        return arrays if given <= max(taken, GROWS) else None

    def _value(self, item: Any, name: str) -> Value:
        if isinstance(item, Value):
            if item.array is not None and item.weights is None:
                item.name, item.weights = item.name or name, self.weights
            return item
        if isinstance(item, (np.ndarray, np.generic)):
            return Value(array=np.asarray(item), name=name, weights=self.weights)
        return Value(plain=item)


def opsets_of(imports: Iterable[Any]) -> dict[str, int]:
    """Domain → version, ONNX's own domain under the empty name."""
    return {NAMES.get(item.domain, item.domain): int(item.version) for item in imports}


def _initializers(graph: Any, weights: Weights) -> Iterable[tuple[str, Value]]:
    from onnx import numpy_helper

    for item in graph.initializer:
        array = numpy_helper.to_array(item)
        yield item.name, Value(array=array, name=item.name, weights=weights)


def _uses(graph: Any) -> dict[str, int]:
    """How many nodes take each name, those in branches and loops included."""
    found: dict[str, int] = {}
    for node in graph.node:
        for name in node.input:
            found[name] = found.get(name, 0) + 1
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                for name, count in _uses(inner).items():
                    found[name] = found.get(name, 0) + count
    return found


def _attributes(proto: Any, scope: Scope) -> dict[str, Any]:
    """Attributes as Python values; one that refers to the function's gets what that was given."""
    from onnx import helper, numpy_helper

    found = {}
    for item in _resolved(proto, scope).attribute:
        value = helper.get_attribute_value(item)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        elif isinstance(value, (list, tuple)) and value and isinstance(value[0], bytes):
            value = [text.decode("utf-8", "replace") for text in value]
        elif type(value).__name__ == "TensorProto":
            value = numpy_helper.to_array(value)
        found[item.name] = value
    return found


def _resolved(proto: Any, scope: Scope) -> Any:
    """The node with the attributes of the surrounding function put in."""
    if not any(item.ref_attr_name for item in proto.attribute):
        return proto
    made = type(proto)()
    made.CopyFrom(proto)
    del made.attribute[:]
    for item in proto.attribute:
        given = scope.attributes.get(item.ref_attr_name) if item.ref_attr_name else item
        if given is not None:
            made.attribute.add().CopyFrom(given)
            made.attribute[-1].name = item.name
    return made


def _without(node: Any, absent: Sequence[str]) -> Any:
    """The node with the inputs left empty that the caller of its function left out."""
    if not any(name in absent for name in node.input):
        return node
    made = type(node)()
    made.CopyFrom(node)
    made.input[:] = ["" if name in absent else name for name in node.input]
    return made


def _pairs(names: Sequence[str], asked: Sequence[str]) -> list[tuple[str, str]]:
    return list(zip(names, [*asked, *[""] * len(names)], strict=False))


def _array(item: Any) -> np.ndarray:
    if isinstance(item, Value):
        item = item.array if item.array is not None else item.plain()
    return np.asarray(item.numpy() if hasattr(item, "numpy") else item)


def _failed(proto: Any, error: Exception) -> ConversionError:
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return ConversionError(
        f"Lowering {proto.op_type} ({proto.name or proto.output[0]!r}) to TensorFlow failed: "
        f"{lines[0][:300]}",
        hint="Check the file with onnx.checker; deploy it as ONNX if that finds nothing.",
    )
