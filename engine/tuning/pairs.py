"""A Q/DQ graph taken apart: which nodes are quantized, from what, and what comes out of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.layers import layer_of

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two nodes that take a tensor to few bits and back."""

    quantize: Any
    dequantize: Any

    @property
    def before(self) -> str:
        """The tensor that is quantized."""
        return str(self.quantize.input[0])

    @property
    def behind(self) -> str:
        """What is dequantized."""
        return str(self.dequantize.output[0])


@dataclass(frozen=True, slots=True)
class Quantized:
    """One node that reads dequantized values.

    ``tensor`` is its output, ``seen`` what others see of it: behind its own pair, where it has
    one, rounded and clipped.
    """

    node: Any
    tensor: str
    seen: str

    def named_in(self, there: set[str]) -> str:
        """Its output's name in the float graph, which is one of those; empty where it is none.

        An output of the whole graph keeps its name behind the pair, any other before it.
        """
        return next((name for name in (self.seen, self.tensor) if name in there), "")

    @property
    def layer(self) -> str:
        """As the model calls it; empty where the graph does not tell."""
        return layer_of(self.node)


class QdqGraph:
    """The pairs of a graph, and the nodes between them. ``graph`` is an ``onnx.GraphProto``."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        quantizers = {n.output[0]: n for n in graph.node if n.op_type == QUANTIZE}
        self.pairs = [
            Pair(quantizers[node.input[0]], node)
            for node in graph.node
            if node.op_type == DEQUANTIZE and node.input[0] in quantizers
        ]
        self.behind = {pair.behind: pair for pair in self.pairs}
        on = {pair.before: pair for pair in reversed(self.pairs)}
        self.nodes = [
            Quantized(node, node.output[0], on[node.output[0]].behind)
            if node.output[0] in on
            else Quantized(node, node.output[0], node.output[0])
            for node in graph.node
            if node.op_type not in (QUANTIZE, DEQUANTIZE) and set(node.input) & set(self.behind)
        ]
        self._on = on
        self._constants = _constants(graph)
        self._fixed = {item.name for item in graph.initializer} | {""}
        self._fixed.update(name for node in self._constants for name in node.output)

    def reads(self, one: Quantized) -> list[str]:
        """The tensors a node reads, as they are before its pairs; no constants."""
        before = (
            self.behind[name].before if name in self.behind else name for name in one.node.input
        )
        return [name for name in before if name not in self._fixed]

    def apart(self, nodes: Iterable[Quantized], kinds: Mapping[str, int]) -> Any:
        """A graph in which each node is quantized alone: it reads float values, through its pairs.

        ``kinds`` are the tensors there are in float, by name, with their ONNX element type: they
        are the inputs. What a node gives goes to no other node; the outputs are what is ``seen``.
        """
        import onnx

        made = onnx.GraphProto(name=self.graph.name)
        made.initializer.extend(self.graph.initializer)
        made.node.extend(self._constants)
        taken: set[str] = set()
        copied: set[str] = set()
        for one in nodes:
            taken.update(self.reads(one))
            made.node.extend(self._alone(one, copied))
            made.output.append(onnx.ValueInfoProto(name=one.seen))
        for name in sorted(taken):
            kind = onnx.helper.make_tensor_type_proto(kinds[name], None)
            made.input.append(onnx.helper.make_value_info(fed(name), kind))
        return made

    def _alone(self, one: Quantized, copied: set[str]) -> Iterable[Any]:
        """The pairs in front, fed from float and each copied once; the node; its own pair."""
        inputs = []
        for name in one.node.input:
            pair = self.behind.get(name)
            inputs.append(name if name in self._fixed else fed(name))
            if pair and name not in copied:
                copied.add(name)
                between = f"{fed(name)}-quantized"
                yield _copy(pair.quantize, [fed(pair.before)], [between])
                yield _copy(pair.dequantize, [between], [fed(name)])
        yield _copy(one.node, inputs, [])
        if one.tensor in self._on:
            yield from (self._on[one.tensor].quantize, self._on[one.tensor].dequantize)


def fed(tensor: str) -> str:
    """Under which name a graph made by ``apart`` takes the float values of a tensor."""
    return f"{tensor}@float"


def _copy(node: Any, inputs: list[str], outputs: list[str]) -> Any:
    """The node with its first inputs and outputs renamed."""
    import onnx

    made = onnx.NodeProto()
    made.CopyFrom(node)
    for names, kept in ((inputs, made.input), (outputs, made.output)):
        for place, name in enumerate(names):
            kept[place] = name
    if outputs:
        made.name = f"{node.name}@{outputs[0]}"
    return made


def _constants(graph: Any) -> list[Any]:
    """The nodes that depend on nothing that is fed: weights, and what is computed from them."""
    fixed = {item.name for item in graph.initializer} | {""}
    found = []
    for node in graph.node:
        if set(node.input) <= fixed:
            found.append(node)
            fixed.update(node.output)
    return found
