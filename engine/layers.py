"""Nodes of an ONNX graph by names a person knows: the node's own, or that of its layer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from engine.errors import BadRequest

EXCLUDE_HELP = (
    "Names of nodes, or of layers as the model calls them, separated by ';'. '*' stands for "
    "anything: *.classifier;node_Conv_1*."
)
_WEIGHT = re.compile(r"[._/](weight|kernel|weight_bias|bias|MatMul/ReadVariableOp)$")
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
