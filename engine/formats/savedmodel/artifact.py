"""A SavedModel on disk, read without TensorFlow running anything of it.

``model/1/saved_model.pb``: the folder that TensorFlow Serving takes as a model's base path, with
one version in it. A plain SavedModel folder is taken as well. ``assets.extra/assay.json`` inside
keeps what SavedModel cannot say: names that are no Python names, symbolic sizes, value ranges.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import BadRequest, InvalidModel, UnsupportedModel
from engine.formats.savedmodel.serving import DEFAULT
from engine.lazy import require
from engine.records import dump, parse
from engine.types import Signature, TensorSpec

VERSION = "1"
SIDECAR = Path("assets.extra") / "assay.json"
_NOTES_LIMIT = 1 << 20
_PLUMBING = {"NoOp", "Identity", "IdentityN", "Placeholder", "Const", "ReadVariableOp"}


@dataclass(frozen=True, slots=True)
class Names:
    """A model's own names → those of the signature's arguments and results."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What Assay adds to the SavedModels it makes."""

    signature: Signature
    names: Names


def home(path: Path) -> Path:
    """The folder that holds ``saved_model.pb``: this one, or its newest version."""
    if (path / "saved_model.pb").is_file():
        return path
    versions = [item.parent for item in path.glob("*/saved_model.pb") if item.parent.name.isdigit()]
    if not versions:
        raise InvalidModel(
            f"There is no SavedModel at {path.name!r}: it has no saved_model.pb.",
            hint="Give the folder with saved_model.pb, or the one above with its versions.",
        )
    return max(versions, key=lambda item: int(item.name))


def tensor_bytes(path: Path) -> int:
    """Bytes of the variables; constants of the graph itself are not among them."""
    files = (home(path) / "variables").glob("variables.data-*")
    return sum(file.stat().st_size for file in files)


def write_sidecar(folder: Path, signature: Signature, names: Names) -> None:
    """Lay our own notes beside the graph, where TensorFlow leaves extra files alone."""
    target = folder / SIDECAR
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(dump(Sidecar(signature, names)), indent=1), encoding="utf-8")


def read_sidecar(path: Path) -> Sidecar:
    """Signature and names; of a SavedModel from elsewhere, as the signature that is run says.

    Notes that do not agree with the graph beside them are not believed.
    """
    folder = home(path)
    declared = _declared(folder)
    notes = _notes(folder)
    if notes and _agrees(notes, declared):
        return notes
    same = Names(
        {spec.name: spec.name for spec in declared.inputs},
        {spec.name: spec.name for spec in declared.outputs},
    )
    return Sidecar(declared, same)


def _notes(folder: Path) -> Sidecar | None:
    """What lies beside the graph; None where nothing does, or nothing that can be read."""
    file = folder / SIDECAR
    if not file.is_file() or file.stat().st_size > _NOTES_LIMIT:
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return parse(Sidecar, found) if isinstance(found, dict) else None
    except (BadRequest, ValueError, RecursionError):
        return None


def _agrees(notes: Sidecar, declared: Signature) -> bool:
    """Whether names, types and fixed sizes are those of the graph."""
    return all(
        len(specs) == len(known) == len(names)
        and {spec.name for spec in specs} == set(names)
        and all(_same(spec, known.get(names[spec.name])) for spec in specs)
        for specs, known, names in (
            (
                notes.signature.inputs,
                {spec.name: spec for spec in declared.inputs},
                notes.names.inputs,
            ),
            (
                notes.signature.outputs,
                {spec.name: spec for spec in declared.outputs},
                notes.names.outputs,
            ),
        )
    )


def _same(spec: TensorSpec, known: TensorSpec | None) -> bool:
    if known is None or spec.dtype != known.dtype or len(spec.shape) != len(known.shape):
        return False
    pairs = zip(spec.shape, known.shape, strict=True)
    return all(isinstance(size, str) or mine == size for mine, size in pairs)


def read_signature(path: Path) -> Signature:
    """What the model takes and gives. Raises InvalidModel, UnsupportedModel."""
    return read_sidecar(path).signature


def _declared(folder: Path) -> Signature:
    found = meta_graph(folder).signature_def[signature_name(folder)]
    return Signature(
        tuple(_spec(name, info) for name, info in sorted(found.inputs.items())),
        tuple(_spec(name, info) for name, info in sorted(found.outputs.items())),
    )


def signature_name(folder: Path) -> str:
    """``serving_default``, or the first signature of plain numbers. Raises UnsupportedModel."""
    known = meta_graph(folder).signature_def
    names = sorted(_own(known), key=lambda name: (name != DEFAULT, name))
    refused = {name: _not_run(known[name]) for name in names}
    for name, why in refused.items():
        if not why:
            return name
    said = "; ".join(f"{name}: {why}" for name, why in refused.items())
    raise UnsupportedModel(
        f"No signature of this SavedModel can be run ({said or 'it has none'}).",
        hint="Arrays of numbers are measured here, not text: save it with one more signature, from "
        "number tensors of known rank to number tensors.",
    )


def _own(known: Iterable[str]) -> list[str]:
    """The signatures that a caller can use, in order."""
    return sorted(name for name in known if not name.startswith("__"))


def _not_run(definition: Any) -> str:
    """Why a signature cannot be run on arrays of numbers; empty where it can."""
    import tensorflow as tf

    if not definition.inputs or not definition.outputs:
        return "it takes or gives nothing"
    for name, info in (*definition.inputs.items(), *definition.outputs.items()):
        if info.WhichOneof("encoding") != "name":
            return f"{name!r} is no dense tensor"
        if tf.as_dtype(info.dtype) in (tf.string, tf.variant, tf.resource):
            return f"{name!r} holds {tf.as_dtype(info.dtype).name}s"
    return ""


def meta_graph(folder: Path) -> Any:
    """The first MetaGraphDef of ``saved_model.pb``. Raises InvalidModel."""
    saved_model_pb2 = require("tensorflow.core.protobuf.saved_model_pb2", "tensorflow-cpu")
    message = saved_model_pb2.SavedModel()
    try:
        message.ParseFromString((folder / "saved_model.pb").read_bytes())
        return message.meta_graphs[0]
    except (
        Exception
    ) as error:  # protobuf's DecodeError has no stable home; an empty list is one too
        raise InvalidModel(
            f"saved_model.pb is not a SavedModel: {error or 'it holds no graph'}.",
            hint="Save the model again.",
        ) from error


def _spec(name: str, info: Any) -> TensorSpec:
    import tensorflow as tf

    dtype = tf.as_dtype(info.dtype).as_numpy_dtype
    if info.tensor_shape.unknown_rank:
        raise UnsupportedModel(
            f"The SavedModel does not say how many axes {name!r} has.",
            hint="Save it with an input_signature of known rank.",
        )
    sizes = (int(dim.size) for dim in info.tensor_shape.dim)
    dims = tuple(
        size if size >= 0 else ("batch" if axis == 0 else f"{name}_{axis}")
        for axis, size in enumerate(sizes)
    )
    return TensorSpec(name, np.dtype(dtype).name, dims)


def describe(path: Path) -> tuple[int | None, dict[str, int], dict[str, str]]:
    """Parameters (floating variables and constants), operations of the signature, and facts."""
    folder = home(path)
    graph = meta_graph(folder)
    sizes = dict(_floating(graph))
    run, names = signature_name(folder), _own(graph.signature_def)
    operators = Counter(node.op for node in _nodes(graph, run) if node.op not in _PLUMBING)
    marked = (f"{name} (run here)" if name == run else name for name in names)
    facts = {
        "Signatures": ", ".join(marked if len(names) > 1 else names),
        "TensorFlow": graph.meta_info_def.tensorflow_version,
    }
    if sizes:
        name = max(sizes, key=lambda key: np.prod(sizes[key]))
        count = int(np.prod(sizes[name], dtype=np.int64))
        facts["Largest tensor"] = f"{name} {list(sizes[name])}, {count:,} values"
    total = sum(int(np.prod(shape, dtype=np.int64)) for shape in sizes.values())
    return total, dict(operators.most_common()), facts


def _floating(graph: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The shapes of floating variables and of constants that are no lone numbers."""
    import tensorflow as tf

    for index, node in enumerate(graph.object_graph_def.nodes):
        if node.WhichOneof("kind") == "variable" and tf.as_dtype(node.variable.dtype).is_floating:
            shape = tuple(int(dim.size) for dim in node.variable.shape.dim)
            yield node.variable.name or f"variable {index}", shape
    for function in graph.graph_def.library.function:
        for node in function.node_def:
            if node.op == "Const" and tf.as_dtype(node.attr["dtype"].type).is_floating:
                shape = tuple(int(d.size) for d in node.attr["value"].tensor.tensor_shape.dim)
                if shape:
                    yield f"{function.signature.name}/{node.name}", shape


def bodies(graph: Any, signature: str) -> Iterator[Sequence[Any]]:
    """The nodes that a signature runs, function by function, each function once."""
    library = {item.signature.name: item for item in graph.graph_def.library.function}
    wanted = {info.name.split(":")[0] for info in graph.signature_def[signature].outputs.values()}
    waiting: list[Sequence[Any]] = [[node for node in graph.graph_def.node if node.name in wanted]]
    seen: set[str] = set()
    while waiting:
        body = waiting.pop()
        yield body
        for name in (name for node in body for name in _called(node)):
            if name in library and name not in seen:
                seen.add(name)
                waiting.append(library[name].node_def)


def _nodes(graph: Any, signature: str) -> Iterator[Any]:
    """The nodes that a signature runs, without those that only call functions."""
    return (node for body in bodies(graph, signature) for node in body if not _called(node))


def _called(node: Any) -> list[str]:
    """The functions that a node runs: of a call, a branch, a loop."""
    found = []
    for item in node.attr.values():
        calls = [item.func] if item.HasField("func") else item.list.func
        found += [call.name for call in calls]
    return found
