"""The cases: those of ``onnx.backend.test``, and which of them are left out, with the reason."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

EXCLUSIONS = Path(__file__).with_name("exclusions.yaml")
KINDS = {
    "node": "node",
    "pytorch-converted": "pytorch-converted",
    "pytorch-operator": "pytorch-operator",
    "simple": "simple",
    "light": "real",
}
"""Our name of a kind → onnx's. Its "real" models are the nine of the ``light`` folder."""


@dataclass(frozen=True)
class Case:
    """One model with inputs and what must come out: ``data`` holds (inputs, outputs) pairs."""

    kind: str
    name: str
    model: Any
    data: Sequence[tuple[Sequence[Any], Sequence[Any]]]
    rtol: float
    atol: float

    @property
    def id(self) -> str:
        """``node/test_abs``."""
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True)
class Exclusion:
    """Cases that are not counted: all patterns that are given must match."""

    reason: str
    names: str | None = None
    types: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()

    def matches(self, case: Case) -> bool:
        """Whether the case is of this kind."""
        named = self.names is None or re.fullmatch(self.names, case.id) is not None
        typed = not self.types or bool(set(self.types) & types(case.model))
        does = not self.operators or bool(set(self.operators) & operators(case.model))
        return named and typed and does


@cache
def exclusions() -> tuple[Exclusion, ...]:
    """What ``exclusions.yaml`` says, in its order."""
    entries = yaml.safe_load(EXCLUSIONS.read_text(encoding="utf-8"))
    return tuple(
        Exclusion(
            entry["reason"],
            entry.get("names"),
            tuple(entry.get("types", ())),
            tuple(entry.get("operators", ())),
        )
        for entry in entries
    )


def excluded(case: Case) -> Exclusion | None:
    """The first exclusion that matches the case."""
    return next((rule for rule in exclusions() if rule.matches(case)), None)


@cache
def load(kind: str) -> tuple[Case, ...]:
    """Every case of a kind, by name. Raises ValueError when a name stands twice."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # The cases are computed here, infinities included.
        found = load_model_tests(kind=KINDS[kind])
    twice = [name for name, times in Counter(item.name for item in found).items() if times > 1]
    if twice:
        raise ValueError(f"These names stand twice in {kind}: {', '.join(twice)}")
    return tuple(_case(kind, item) for item in sorted(found, key=lambda item: item.name))


def _case(kind: str, item: Any) -> Case:
    if kind == "node":
        data = [
            ([_array(x) for x in inputs], list(map(_array, outs)))
            for inputs, outs in item.data_sets
        ]
        return Case(kind, item.name, item.model, data, item.rtol, item.atol)
    if kind == "light":
        return _light(item)
    import onnx

    folder = Path(item.model_dir)
    model = onnx.load(folder / "model.onnx")
    data = [
        (_tensors(each, "input", model.graph.input), _tensors(each, "output", model.graph.output))
        for each in sorted(folder.glob("test_data_set*"))
    ]
    return Case(kind, item.name, model, data, item.rtol, item.atol)


def _light(item: Any) -> Case:
    """A model without weights of its own; its input is made as onnx's own runner makes it."""
    import onnx
    from onnx.backend.test.loader import DATA_DIR
    from onnx.backend.test.runner import Runner

    path = Path(DATA_DIR) / "light" / Path(item.url).name
    model = onnx.load(path)
    held = {tensor.name for tensor in model.graph.initializer}
    free = [value for value in model.graph.input if value.name not in held]
    inputs = [Runner.generate_dummy_data(value, name=item.name) for value in free]
    outputs = [
        _tensor(path.with_name(f"{path.stem}_output_{index}.pb"), value.type)
        for index, value in enumerate(model.graph.output)
    ]
    return Case("light", item.name, model, [(inputs, outputs)], item.rtol, item.atol)


def _tensors(folder: Path, stem: str, values: Any) -> list[Any]:
    count = len(list(folder.glob(f"{stem}_*.pb")))
    return [_tensor(folder / f"{stem}_{index}.pb", values[index].type) for index in range(count)]


def _tensor(path: Path, kind: Any) -> Any:
    """An array, or the protobuf of what is no tensor: such cases are left out."""
    import onnx

    protos = {"sequence_type": onnx.SequenceProto, "optional_type": onnx.OptionalProto}
    proto = protos.get(kind.WhichOneof("value"), onnx.TensorProto)()
    proto.ParseFromString(path.read_bytes())
    return _array(proto)


def _array(value: Any) -> Any:
    import numpy as np
    import onnx

    if isinstance(value, onnx.TensorProto):
        return onnx.numpy_helper.to_array(value)
    return np.asarray(value) if isinstance(value, np.generic) else value


def types(model: Any) -> set[str]:
    """The types of all inputs, outputs and constants: ``"float16"``, ``"sequence"`` …"""
    return {name for graph in _graphs(model) for name in _types(graph)}


def operators(model: Any) -> set[str]:
    """Every operator in the model; those outside ONNX's own domain with theirs."""
    nodes = (node for graph in _graphs(model) for node in _nodes(graph))
    return {f"{node.domain}:{node.op_type}" if node.domain else node.op_type for node in nodes}


def _graphs(model: Any) -> Iterator[Any]:
    """The graph, the functions, and every graph inside a node."""
    waiting = [model.graph, *model.functions]
    while waiting:
        graph = waiting.pop()
        yield graph
        for node in _nodes(graph):
            for attribute in node.attribute:
                waiting += [attribute.g] if attribute.HasField("g") else attribute.graphs


def _nodes(graph: Any) -> Any:
    return graph.node


def _types(graph: Any) -> Iterator[str]:
    from onnx import TensorProto

    def name(number: int) -> str:
        return TensorProto.DataType.Name(number).lower()

    for node in graph.node:
        yield from (name(a.t.data_type) for a in node.attribute if a.HasField("t"))
    if not hasattr(graph, "initializer"):
        return
    yield from (name(tensor.data_type) for tensor in graph.initializer)
    for value in (*graph.input, *graph.output):
        which = value.type.WhichOneof("value")
        if which == "tensor_type":
            yield name(value.type.tensor_type.elem_type)
        elif which:
            yield which.removesuffix("_type")
