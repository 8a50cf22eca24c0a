"""The table from operator to handler. A family file fills it with ``@op``; nothing else knows ops.

    @op("Relu", layout="any")
    def relu(node: Node, x: Any) -> Any:
        return tf.nn.relu(x)

``since`` is the first opset a handler is right for; the newest one not above the model's is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Layout = Literal["plain", "any", "own"]
"""What a handler is given for its inputs:
``plain``  tensors in ONNX's order;
``any``    tensors that broadcast, all in one layout: for operators that work element by element;
``own``    the Values themselves: it picks layouts, and reads what is known at conversion.
"""
ONNX = ""
NAMES = {"": "", "ai.onnx": "", "ai.onnx.ml": "ai.onnx.ml"}


@dataclass(frozen=True, slots=True)
class Handler:
    """How one operator is said in TensorFlow, from one opset on."""

    call: Callable[..., Any]
    since: int
    layout: Layout
    folds: bool
    """Whether its result is computed at conversion when all inputs are known."""


_table: dict[tuple[str, str], list[Handler]] = {}


def op(
    *names: str,
    since: int = 1,
    domain: str = ONNX,
    layout: Layout = "plain",
    folds: bool = True,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a handler ``(node, *inputs) -> result`` for operators.

    An optional input that is absent is None. The result is a tensor, an array or a Value; or a
    tuple of them, one for each output of the operator (None for one that was not asked for).
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            entries = _table.setdefault((domain, name), [])
            if any(handler.since == since for handler in entries):
                raise ValueError(f"{name} has two handlers from opset {since} on.")
            entries.append(Handler(function, since, layout, folds))
            entries.sort(key=lambda handler: handler.since)
        return function

    return register


def handler_for(domain: str, name: str, opset: int) -> Handler | None:
    """The newest handler that is not newer than ``opset``; None when there is none."""
    entries = _table.get((NAMES.get(domain, domain), name), [])
    fitting = [handler for handler in entries if handler.since <= opset]
    return fitting[-1] if fitting else None


def operators() -> tuple[tuple[str, str], ...]:
    """Every (domain, operator) there is a handler for."""
    return tuple(sorted(_table))
