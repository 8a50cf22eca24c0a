"""Nodes of an ONNX graph by names a person knows: the node's own, or that of its layer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from engine.errors import BadRequest

EXCLUDE_HELP = (
    "Names of nodes, or of layers as the model calls them, separated by ';'. '*' stands for "
    "anything: *.classifier;node_Conv_1*."
)
_WEIGHT = re.compile(r"[._/](weight|kernel|weight_bias|bias|MatMul/ReadVariableOp)(_Transposed)?$")
_SCOPES = "pkg.torch.onnx.name_scopes"
"""Where torch's exporter writes the modules a node stands in, outermost first, then the call."""
_NEAR = 3


def matching(text: str, nodes: Sequence[Any]) -> list[str]:
    """The names of the nodes that ``text`` means, in the graph's order.

    Raises BadRequest for a name that means none of them, with those that are near.
    """
    called = {node.name: {node.name, *_layers(node)} for node in nodes}
    wanted = [part.strip() for part in text.split(";") if part.strip()]
    for name in wanted:
        if not any(_means(name, names) for names in called.values()):
            known = sorted({name for names in called.values() for name in names})
            near = get_close_matches(name, known, _NEAR, 0.4) or known[:_NEAR]
            raise BadRequest(
                f"There is no node or layer {name!r} in this graph that is quantized.",
                hint=f"Near it: {', '.join(near)}. '*' stands for anything.",
            )
    return [node for node, names in called.items() if any(_means(name, names) for name in wanted)]


def left_out(text: str, able: Sequence[Any]) -> list[str]:
    """The nodes that ``text`` means. Raises BadRequest where that leaves nothing to quantize."""
    found = matching(text, able)
    if len(found) == len(able):
        raise BadRequest(
            "Every layer that could be quantized is to be left in float: nothing would change.",
            hint="Name fewer layers.",
        )
    return found


def layer_of(node: Any) -> str:
    """The layer a node belongs to, as the model calls it; empty where the graph does not tell."""
    return next(_layers(node), "")


def _means(wanted: str, names: set[str]) -> bool:
    pattern = re.compile(".*".join(map(re.escape, wanted.split("*"))))
    return any(pattern.fullmatch(name) for name in names)


def _layers(node: Any) -> Iterator[str]:
    """As its weights are called, then as the exporter wrote it down."""
    for name in node.input:
        if _WEIGHT.search(name):
            yield _WEIGHT.sub("", name)
    for item in node.metadata_props:
        if item.key == _SCOPES:
            yield from [scope for scope in re.findall(r"'([^']*)'", item.value)[:-1] if scope][-1:]


def give_names(graph: Any) -> None:
    """Name the nodes that have no name, by operator and place: they can then be left out by it."""
    for index, node in enumerate(graph.node):
        node.name = node.name or f"{node.op_type}_{index}"


def listed(nodes: Sequence[Any], most: int = 5) -> str:
    """The layers of these nodes (their names where a layer is not known), the first few of them."""
    names = list(dict.fromkeys(layer_of(node) or node.name for node in nodes))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def census(graph: Any) -> str:
    """Which operators there are, and how often: ``"Conv (2×), Relu (1×)"``."""
    counted = Counter(node.op_type for node in graph.node)
    return ", ".join(f"{name} ({count}×)" for name, count in counted.most_common()) or "nothing"
