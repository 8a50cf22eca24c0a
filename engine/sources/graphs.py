"""The graphs of a SavedModel, read as data and held against what a plain model can contain.

A SavedModel is a program: loading it runs its initialisers, and its operators can read and write
files. Here only its protobuf is read; no operator of it runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import InvalidModel, UnsafeModel, UnsupportedModel
from engine.lazy import require
from engine.sources.words import one_line

FILE = "saved_model.pb"
_PROTOBUF_LIMIT = (1 << 31) - 1
_REACHES_OUT = re.compile(
    r"File|Reader|PyFunc|Dataset|Iterator|^Debug|^Print|^Abort$|^Save|^Restore|Save$|Checkpoint"
    r"|Summary|ImportEvent|LoadAndRemap|GenerateVocab|UnigramCandidate|Rpc|Remote|Session"
    r"|^_?Send$|^_?Recv$|^_?Host(?:Send|Recv)|Collective|Nccl|TPU|Tpu|Infeed|Outfeed"
    r"|RecordInput|WorkerHeartbeat|StatsAggregator|codeProto|^Copy(?:Host)?$|^Mlir",
    re.ASCII,
)
"""Operators that read or write files, talk to other processes, run Python or end the process."""
_STATE = re.compile(
    r"VarHandleOp|VariableV2|ReadVariableOp|VarIsInitializedOp|VariableShape|DisableCopyOnRead"
    r"|Assign(?:Add|Sub)?VariableOp|Resource(?:Gather|GatherNd|StridedSliceAssign|Scatter\w+)"
    r"|DestroyResourceOp|If|Case|While|Assert|CheckNumerics(?:V2)?|GuaranteeConst|Empty"
    r"|Random\w+|TruncatedNormal|ParameterizedTruncatedNormal|Multinomial|Stateful\w+|Rng\w+"
    r"|StatelessRandomGetAlg|NonDeterministicInts|SampleDistortedBoundingBox(?:V2)?"
    r"|(?:Anonymous)?(?:Mutable|MutableDense)?HashTable\w*|LookupTable\w+|InitializeTableV2"
    r"|TensorArray\w*|Stack(?:Push|Pop|Close)?V2|CudnnRNN\w*",
    re.ASCII,
)
"""Of the operators with an effect, those that only touch the model's own memory. TensorFlow marks
the ones with an effect; any other of them, known today or not, is refused."""
_SAVER = frozenset(("SaveV2", "RestoreV2", "MergeV2Checkpoints", "ShardedFilename"))
"""What every SavedModel holds to write and read its own variables; allowed there only."""
_NAMED = 4


def read(path: Path) -> Any:
    """The ``MetaGraphDef`` for serving. Raises InvalidModel or UnsupportedModel."""
    size = path.stat().st_size
    if size > _PROTOBUF_LIMIT:
        raise InvalidModel(
            f"{FILE} has {size:,} bytes; a protobuf ends at 2 GiB.",
            hint="Keep weights in variables, not in the graph, and save the model again.",
        )
    protos = require("tensorflow.core.protobuf.saved_model_pb2", "tensorflow-cpu")
    decode_error = require("google.protobuf.message", "protobuf").DecodeError
    saved = protos.SavedModel()
    try:
        saved.ParseFromString(path.read_bytes())
    except (decode_error, RecursionError) as error:
        raise InvalidModel(
            f"{FILE} cannot be read as a SavedModel.",
            hint="It was cut short or is something else: bring the folder again.",
        ) from error
    found = [graph for graph in saved.meta_graphs if "serve" in graph.meta_info_def.tags]
    if len(found) != 1:
        tags = [one_line("+".join(graph.meta_info_def.tags)) for graph in saved.meta_graphs]
        raise UnsupportedModel(
            f"A SavedModel should hold one graph tagged 'serve'; this one holds "
            f"{', '.join(map(repr, tags[:_NAMED])) or 'none'}.",
            hint="Save it with tf.saved_model.save of TensorFlow 2, or Keras' model.export.",
        )
    for graph in saved.meta_graphs:
        check(graph)
    if not found[0].object_graph_def.nodes:
        raise UnsupportedModel(
            "This SavedModel was written in the manner of TensorFlow 1: it has a graph and no "
            "objects.",
            hint="Load it with TensorFlow and save it again with tf.saved_model.save.",
        )
    return found[0]


def check(graph: Any) -> None:
    """Refuse operators that a plain model has no use for, each by name, wherever they stand."""
    reaching: dict[str, str] = {}
    custom: dict[str, str] = {}
    known = require("tensorflow.python.framework.op_def_registry", "tensorflow-cpu")
    for node in _nodes(graph):
        kind = known.get(node.op)
        stateful = kind is not None and kind.is_stateful
        if _REACHES_OUT.search(node.op) or (stateful and not _STATE.fullmatch(node.op)):
            reaching.setdefault(one_line(node.op), one_line(node.name))
        elif kind is None:
            custom.setdefault(one_line(node.op), one_line(node.name))
    if reaching:
        raise UnsafeModel(
            f"This SavedModel reaches outside of the model with {_listed(reaching)}.",
            hint="It was not loaded. Save the model again without operators that touch files, data "
            "sets, other processes or Python.",
        )
    if custom:
        raise UnsupportedModel(
            f"This SavedModel needs a library of its own for {_listed(custom, 'custom operator')}.",
            hint="Assay loads no operator libraries: save the model with TensorFlow's own.",
        )


def _nodes(graph: Any) -> Iterator[Any]:
    """Every node of the graph and its functions that is no call and not the saver's own."""
    library = {function.signature.name: function for function in graph.graph_def.library.function}
    saver = _functions_of_the_saver(graph, library)
    bodies = [("", graph.graph_def.node)]
    bodies += [(name, function.node_def) for name, function in library.items()]
    for name, nodes in bodies:
        for node in nodes:
            if node.op not in library and not (name in saver and node.op in _SAVER):
                yield node


def _listed(found: Mapping[str, str], noun: str = "operator") -> str:
    """``the operators 'ReadFile' (node 'a') and 'PyFunc' (node 'b')``, the first few of many."""
    named = [f"{op!r} (node {name!r})" for op, name in found.items()]
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return f"the {noun}{'s' if len(named) > 1 else ''} {', '.join(named[:_NAMED])}{more}"


def _functions_of_the_saver(graph: Any, library: dict[str, Any]) -> frozenset[str]:
    """Functions that only writing and reading the variables calls."""
    ends = {
        name.split(":")[0]
        for name in (graph.saver_def.save_tensor_name, graph.saver_def.restore_op_name)
    }
    own = [node for node in graph.graph_def.node if node.name in ends]
    other = [node for node in graph.graph_def.node if node.name not in ends]
    roots = {name for node in other for name in _called(node, library)}
    roots |= _callable(graph.object_graph_def) & set(library)
    called = _reached({name for node in own for name in _called(node, library)}, library)
    return frozenset(called - _reached(roots, library))


def _callable(objects: Any) -> set[str]:
    """The functions that whoever loads the model can call, however the objects name them."""
    names = set(objects.concrete_functions)
    for node in objects.nodes:
        names.add(node.bare_concrete_function.concrete_function_name)
        names.update(node.function.concrete_functions)
    return names


def _reached(roots: set[str], library: dict[str, Any]) -> set[str]:
    """Those functions and every one they call."""
    pending, seen = list(roots), set(roots)
    while pending:
        for node in library[pending.pop()].node_def:
            new = set(_called(node, library)) - seen
            seen |= new
            pending += new
    return seen


def _called(node: Any, library: dict[str, Any]) -> Iterator[str]:
    """The functions of the library that a node names, as its operator or in its attributes."""
    if node.op in library:
        yield node.op
    pending = list(node.attr.values())
    while pending:
        value = pending.pop()
        for function in (value.func, *value.list.func):
            if function.name in library:
                yield function.name
            pending += function.attr.values()


Meaning = tuple[str, Any]
"""What a tensor is known to be: ``("input", name)`` or ``("table", rows)``."""
_SAME = frozenset(
    ("Identity", "Cast", "ReadVariableOp", "ExpandDims", "Reshape", "Squeeze", "AddV2", "SelectV2")
)
"""Operators whose result is looked up where their input is; Keras wraps negative ids by two."""


def lookup_rows(graph: Any, inputs: set[str]) -> dict[str, int]:
    """Of the signatures with these inputs: which look up a table of weights, and its rows."""
    lookups = _Lookups({item.signature.name: item for item in graph.graph_def.library.function})
    for signature in graph.signature_def.values():
        if set(signature.inputs) == inputs:
            known: dict[str, Meaning] = {
                info.name.split(":")[0]: ("input", name) for name, info in signature.inputs.items()
            }
            lookups.look(graph.graph_def.node, known)
    return lookups.rows


@dataclass(slots=True)
class _Lookups:
    """A search through bodies and those they call, each once for the same given."""

    library: dict[str, Any]
    rows: dict[str, int] = field(default_factory=dict)
    seen: set[tuple[str, frozenset[tuple[str, Meaning]]]] = field(default_factory=set)

    def look(self, nodes: Any, known: dict[str, Meaning]) -> None:
        """Follow inputs and tables; ``known`` says by node name what a tensor is."""
        waiting = [(nodes, known)]
        while waiting:
            nodes, known = waiting.pop()
            _spread(nodes, known)
            for node in nodes:
                given = _given(node, known)
                if node.op in ("ResourceGather", "GatherV2", "Gather"):
                    self._note(given[0], given[1])
                elif any(given):
                    waiting += self._calls(node, given)

    def _note(self, table: Meaning | None, ids: Meaning | None) -> None:
        if table and ids and (table[0], ids[0]) == ("table", "input"):
            self.rows[ids[1]] = min(table[1], self.rows.get(ids[1], table[1]))

    def _calls(
        self, node: Any, given: list[Meaning | None]
    ) -> Iterator[tuple[Any, dict[str, Meaning]]]:
        for name in _called(node, self.library):
            names = [argument.name for argument in self.library[name].signature.input_arg]
            inner = {key: value for key, value in zip(names, given, strict=False) if value}
            key = (name, frozenset(inner.items()))
            if key not in self.seen:
                self.seen.add(key)
                yield self.library[name].node_def, inner


def _spread(nodes: Any, known: dict[str, Meaning]) -> None:
    """Name every tensor that is an input or a table; nodes stand in no order."""
    before = -1
    while before < len(known):
        before = len(known)
        for node in nodes:
            rows = _rows(node)
            if rows is not None:
                known[node.name] = ("table", rows)
            elif node.op in _SAME and node.name not in known:
                meanings = sorted(meaning for meaning in _given(node, known) if meaning)
                if meanings:
                    known[node.name] = meanings[0]


def _given(node: Any, known: dict[str, Meaning]) -> list[Meaning | None]:
    return [known.get(name.split(":")[0]) for name in node.input if not name.startswith("^")]


def _rows(node: Any) -> int | None:
    """The first size of a variable or constant; None for anything else."""
    if node.op == "VarHandleOp":
        shape = node.attr["shape"].shape
    elif node.op == "Const":
        shape = node.attr["value"].tensor.tensor_shape
    else:
        return None
    return int(shape.dim[0].size) if len(shape.dim) > 1 and shape.dim[0].size > 0 else None
