"""Which module of a model an operator comes from, so that a refusal can name the place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_SHOWN = 3


def placed(model: Any, operators: str) -> str:
    """``"aten::fft_rfft (in encoder.mixer, a Mixer)"`` for operators listed with commas.

    ``model`` is an ``ExportedProgram`` or a ``ScriptModule``; of a plain module nothing is known.
    """
    calls = tuple(_calls(model))
    names = {_bare(name): name.strip() for name in reversed(operators.split(","))}
    return ", ".join(_place(bare, name, calls) for bare, name in reversed(names.items()))


def _place(bare: str, name: str, calls: tuple[tuple[str, str], ...]) -> str:
    found = list(dict.fromkeys(place for called, place in calls if _bare(called) == bare and place))
    if not found:
        return name
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"{name} (in {', '.join(found[:_SHOWN])}{more})"


def _calls(model: Any) -> Iterator[tuple[str, str]]:
    """Every operator of a model with the place it stands at."""
    if hasattr(model, "graph_module"):
        yield from _exported(model)
        # The exporter speaks of the operators that others are made of.
        yield from _exported(model.run_decompositions())
    elif hasattr(model, "inlined_graph"):
        yield from _scripted(model.inlined_graph)


def _exported(program: Any) -> Iterator[tuple[str, str]]:
    for node in program.graph.nodes:
        if node.op == "call_function":
            stack = node.meta.get("nn_module_stack") or {}
            yield str(node.target), _module(list(stack.values()))


def _module(stack: list[Any]) -> str:
    """``"encoder.mixer, a Mixer"``: the innermost module, by its qualified name."""
    if not stack:
        return ""
    path, kind = stack[-1]
    kind = kind if isinstance(kind, str) else getattr(kind, "__name__", "")
    label = kind.rpartition(".")[2]
    # Assay's own wrapper around a model is none of the model's modules.
    path = re.sub(r"^(?:L\['self'\]\.?|model\.)", "", str(path))
    return f"{path}, a {label}" if path else f"the model itself, a {label}"


def _scripted(block: Any) -> Iterator[tuple[str, str]]:
    for node in block.nodes():
        yield node.kind(), _line(node.sourceRange())
        for inner in node.blocks():
            yield from _scripted(inner)


def _line(source: str) -> str:
    """``"net.py, line 12"`` from TorchScript's own record of where code was."""
    found = re.search(r'File "([^"]+)", line (\d+)', source) or re.search(
        r"([\w./-]+\.py)\S*?:(\d+)", source
    )
    return f"{found[1].rpartition('/')[2]}, line {found[2]}" if found else ""


def _bare(operator: str) -> str:
    """``fft_rfft`` from ``aten::fft_rfft`` or ``aten.fft_rfft.default``."""
    parts = re.split(r"::|\.", operator.strip())
    return parts[1] if len(parts) > 1 else parts[0]
