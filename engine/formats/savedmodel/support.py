"""Whether every operator of a model can be lowered: asked before anything is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from engine.errors import UnsupportedModel
from engine.formats.savedmodel import functions
from engine.formats.savedmodel.lowering import opsets_of
from engine.formats.savedmodel.table import NAMES, handler_for

NAMED = 5
"""How many nodes are named for each operator that is missing."""


def missing(model: Any) -> dict[str, list[str]]:
    """Operators without a TensorFlow form, each with the names of the nodes that need it."""
    found: dict[str, list[str]] = {}
    local = functions.local_functions(model)
    for node, operator in _missing(model.graph.node, opsets_of(model.opset_import), local, ()):
        found.setdefault(operator, []).append(node.name or next(iter(node.output), ""))
    return found


def check(model: Any) -> None:
    """Raise UnsupportedModel listing every operator that stops this model, and where it is."""
    found = missing(model)
    if not found:
        return
    listed = "; ".join(f"{operator} ({_some(names)})" for operator, names in found.items())
    raise UnsupportedModel(
        f"TensorFlow has no form here of {len(found)} of this model's operators: {listed}.",
        hint="Deploy this model as ONNX, or replace these operators in it.",
    )


def _missing(
    nodes: Iterable[Any],
    opsets: Mapping[str, int],
    local: Mapping[tuple[str, str], Any],
    inside: tuple[Any, ...],
) -> Iterator[tuple[Any, str]]:
    """The nodes that stop, those in branches, loops and functions included."""
    for node in nodes:
        domain = NAMES.get(node.domain, node.domain)
        version = opsets.get(domain, 1)
        function = local.get((node.domain, node.op_type))
        if function is not None and function not in inside:
            versions = {**opsets, **opsets_of(function.opset_import)}
            yield from _missing(function.node, versions, local, (*inside, function))
        elif function is None and not (
            handler_for(domain, node.op_type, version)
            or functions.has_body(domain, node.op_type, version)
        ):
            yield node, f"{domain}.{node.op_type}" if domain else node.op_type
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _missing(graph.node, opsets, local, inside)


def _some(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:NAMED])
    more = len(names) - NAMED
    return f"{shown} and {more} more" if more > 0 else shown
