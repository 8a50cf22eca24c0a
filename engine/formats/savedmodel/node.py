"""One ONNX node as its handler sees it: attributes, what is known of its inputs, its subgraphs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.errors import UnsupportedModel
from engine.formats.savedmodel.values import Value

if TYPE_CHECKING:
    from engine.formats.savedmodel.lowering import Lowering, Scope


class Node:
    """A node with its inputs bound. ``opset`` is the version of its own domain."""

    def __init__(
        self,
        proto: Any,
        opset: int,
        attributes: Mapping[str, Any],
        inputs: Sequence[Value | None],
        lowering: Lowering,
        scope: Scope,
    ) -> None:
        self.op: str = proto.op_type
        self.domain: str = proto.domain
        self.name: str = proto.name or (proto.output[0] if proto.output else "")
        self.outputs: tuple[str, ...] = tuple(proto.output)
        self.opset = opset
        self.inputs = inputs
        self._attributes = attributes
        self._lowering = lowering
        self._scope = scope

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute as a Python value (int, float, str, list, array, GraphProto)."""
        return self._attributes.get(name, default)

    def wants(self, index: int) -> bool:
        """Whether the model uses that output of this node."""
        return index < len(self.outputs) and bool(self.outputs[index])

    def value(self, index: int) -> Value | None:
        """The Value of an input, with what is known of it; None when absent."""
        return self.inputs[index] if index < len(self.inputs) else None

    def known(self, index: int, what: str) -> np.ndarray | None:
        """An input that must be known at conversion; None when absent. Raises UnsupportedModel."""
        value = self.value(index)
        if value is None:
            return None
        if value.array is None and value.sizes is None:
            found = value.elements() if value.dtype.kind in "iu" else None
            if found is not None and all(isinstance(item, int) for item in found):
                return np.asarray(found, np.int64).reshape(
                    [size or 0 for size in value.shape or ()]
                )
        if value.array is None:
            raise self.unsupported(f"its {what} is computed while the model runs")
        return value.array

    def ints(self, index: int, attribute: str, default: Any = None) -> list[int] | None:
        """Integers that older opsets give as an attribute and newer ones as an input."""
        if self.value(index) is not None:
            found = self.known(index, attribute)
            return None if found is None else [int(item) for item in found.reshape(-1)]
        given = self.get(attribute, default)
        return None if given is None else [int(item) for item in np.atleast_1d(given)]

    def subgraph(self, name: str) -> Callable[..., list[Value]]:
        """The graph in an attribute, as a function from its inputs' Values to its outputs'.

        Names of the surrounding graph are seen inside. Call it inside ``tf.cond`` or
        ``tf.while_loop`` as often as needed.
        """
        graph = self.get(name)

        def call(*inputs: Value | Any) -> list[Value]:
            return self._lowering.graph(graph, self._scope, inputs)

        return call

    def unsupported(self, why: str) -> UnsupportedModel:
        """The error that names this node and says why it cannot be lowered."""
        return UnsupportedModel(
            f"TensorFlow cannot express {self.op} here ({self.name!r}): {why}.",
            hint="Deploy this model as ONNX, or change that part of it.",
        )
