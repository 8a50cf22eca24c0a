"""ONNX: one file, or a zip or folder of the graph with its external data."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

from engine.errors import BadRequest, InvalidModel, UnsafeModel, UnsupportedModel
from engine.files import disk_errors
from engine.lazy import Requirement, require
from engine.registry import format_named
from engine.sources import archive
from engine.sources.model import UNPACKED, Found, Progress, Recognised, Wanted
from engine.sources.originals import bring, place, recognised
from engine.sources.trying import agreed, bounded, runs
from engine.sources.words import quoted
from engine.types import Signature, Step

KINDS = ("onnx",)
_OWN_DOMAINS = frozenset(
    ("", "ai.onnx", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training", "com.microsoft")
)
_PROTOBUF_LIMIT = (1 << 31) - 1
_GATHER_LIMIT = 1_900_000_000
_DEPTH_LIMIT = 64
_KEYS = frozenset(("location", "offset", "length", "checksum", "basepath"))


@dataclass(frozen=True, slots=True)
class External:
    """Where a tensor's bytes lie: a file beside the graph, and the span in it."""

    tensor: str
    location: str
    offset: int
    length: int | None
    needed: int


def recognise(found: Found, wanted: Wanted, out: Path, progress: Progress) -> Recognised:
    """Check the graph and every file it points to, then keep it as one file or a folder."""
    progress("Reading the graph", 0.1)
    scratch = out / UNPACKED
    graph = _graph_file(found, scratch)
    proto = _parse(graph)
    _check_operators(proto)
    externals = tuple(_externals(proto))
    single = graph == found.path
    _check_externals(externals, graph.parent, alone=single)
    progress("Checking the model", 0.4)
    _check_model(graph)
    path, lineage = _keep(graph, proto, externals, out)
    progress("Reading inputs and outputs", 0.8)
    signature = bounded(_carried(path), _lookup_rows(proto.graph))
    if wanted.signature:
        signature = agreed(signature, wanted.signature)
    progress("Running it once", 0.9)
    runs("onnx", path, signature)
    origin = wanted.origin("carried")
    return recognised(found, path, "onnx", signature, origin, lineage=lineage)


def _graph_file(found: Found, scratch: Path) -> Path:
    """The ``.onnx`` file itself: unpacked first when it came in a zip."""
    if found.path.is_dir():
        return _only_graph(found.path)
    with found.path.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"
    if not zipped:
        return found.path
    with archive.opened(found.path) as source:
        source.extract(scratch)
    return _only_graph(scratch)


def _only_graph(folder: Path) -> Path:
    """The graph at the top of a folder. Raises InvalidModel where it lies deeper."""
    graph = next(
        (path for path in sorted(folder.iterdir()) if path.suffix.lower() == ".onnx"), None
    )
    if graph is None:
        raise InvalidModel(
            "The .onnx file lies in a folder of its own, beside other files.",
            hint="Put the .onnx file at the top, its external data beside it.",
        )
    return graph


def _parse(graph: Path) -> Any:
    import onnx

    decode_error = require("google.protobuf.message", "protobuf").DecodeError
    if graph.stat().st_size > _PROTOBUF_LIMIT:
        raise InvalidModel(
            f"{graph.name} has {graph.stat().st_size:,} bytes; an ONNX graph ends at 2 GiB.",
            hint="Save it with external data and bring graph and data as one zip.",
        )
    try:
        return onnx.load(str(graph), load_external_data=False)
    except (decode_error, ValueError, RecursionError) as error:
        raise InvalidModel(
            "This begins like ONNX but cannot be read as such.",
            hint="Bring the file again; onnx.checker.check_model says what is wrong with it.",
        ) from error


def _graphs(graph: Any, depth: int = 0) -> Iterator[Any]:
    """A graph and those inside its branches and loops. Raises InvalidModel when too deep."""
    if depth > _DEPTH_LIMIT:
        raise InvalidModel(
            f"This model nests branches and loops more than {_DEPTH_LIMIT} deep.",
            hint="Simplify the model before exporting it.",
        )
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*((attribute.g,) if attribute.HasField("g") else ()), *attribute.graphs):
                yield from _graphs(inner, depth + 1)


def _check_operators(proto: Any) -> None:
    """Refuse operators of domains that need a library of their own, by name."""
    local = {(item.domain, item.name) for item in proto.functions}
    for node in (node for holder in _holders(proto) for node in holder.node):
        own = node.domain in _OWN_DOMAINS or (node.domain, node.op_type) in local
        if not own:
            raise UnsupportedModel(
                f"This model uses the custom operator {node.domain[:60]}::{node.op_type[:60]}.",
                hint="Assay loads no operator libraries: export the model with standard operators.",
            )


def _holders(proto: Any) -> Iterator[Any]:
    """Everything with nodes: the graph, functions, what is for training, and what is in them."""
    training = (part for one in proto.training_info for part in (one.initialization, one.algorithm))
    for root in (proto.graph, *proto.functions, *training):
        yield from _graphs(root)


def _tensors(proto: Any) -> Iterator[Any]:
    """Every tensor that is stored: initializers, sparse ones, and those in attributes."""
    for holder in _holders(proto):
        if hasattr(holder, "initializer"):
            yield from holder.initializer
            for sparse in holder.sparse_initializer:
                yield from (sparse.values, sparse.indices)
        for node in holder.node:
            for attribute in node.attribute:
                yield from attribute.tensors
                if attribute.HasField("t"):
                    yield attribute.t
                for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                    yield from (sparse.values, sparse.indices)


def _externals(proto: Any) -> Iterator[External]:
    import onnx

    for tensor in _tensors(proto):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            yield _external(tensor)


def _external(tensor: Any) -> External:
    """What one tensor says about its bytes. Raises UnsafeModel for keys and numbers that lie."""
    entries = [(entry.key, entry.value) for entry in tensor.external_data]
    said = dict(entries)
    if len(said) != len(entries) or not set(said) <= _KEYS or "location" not in said:
        raise _refused(tensor.name, "describes its external data in an unknown way")
    if not all(isinstance(value, str) for value in said.values()):  # bytes that are no UTF-8
        raise _refused(tensor.name, "describes its external data in what is no text")
    for key in ("offset", "length"):
        if key in said and not (said[key].isascii() and said[key].isdigit()):
            raise _refused(tensor.name, f"declares the {key} {said[key][:20]!r}")
    length = int(said["length"]) if "length" in said else None
    return External(
        tensor.name, said["location"], int(said.get("offset", "0")), length, _bytes_of(tensor)
    )


def _bytes_of(tensor: Any) -> int:
    """Bytes the declared shape needs. Raises UnsafeModel for a shape that cannot be."""
    import onnx

    count = 1
    for size in tensor.dims:
        if size < 0:
            raise _refused(tensor.name, "declares a negative size")
        count *= size
    if tensor.data_type not in onnx.helper.get_all_tensor_dtypes():
        raise _refused(tensor.name, "declares an unknown type")
    kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    proto = onnx.TensorProto
    packed = {proto.INT4: 2, proto.UINT4: 2, proto.FLOAT4E2M1: 2, proto.INT2: 4, proto.UINT2: 4}
    return int(-(-count // packed.get(tensor.data_type, 1)) * (kind.itemsize or 1))


def _check_externals(externals: tuple[External, ...], folder: Path, *, alone: bool) -> None:
    """Every span lies in a plain file beside the graph, and spans do not partly overlap."""
    if externals and alone:
        files = ", ".join(sorted({item.location[:60] for item in externals})[:3])
        raise InvalidModel(
            f"The weights of this model lie in other files ({files}) that were not brought.",
            hint="Put the .onnx file and its external data into one zip and bring that.",
        )
    spans: dict[str, set[tuple[int, int]]] = {}
    for item in externals:
        size = _size_of_plain_file(item, folder)
        length = item.needed if item.length is None else item.length
        if length != item.needed or item.offset + length > size:
            raise InvalidModel(
                f"The tensor {item.tensor[:60]!r} wants bytes {item.offset:,} to "
                f"{item.offset + length:,} of {item.location[:60]}, which has {size:,}; its shape "
                f"needs {item.needed:,}.",
                hint="The external data is not this model's, or was cut short: bring it again.",
            )
        spans.setdefault(item.location, set()).add((item.offset, item.offset + length))
    for location, parts in spans.items():
        ordered = sorted(part for part in parts if part[0] < part[1])
        for (_, end), (start, _) in pairwise(ordered):
            if start < end:
                raise _refused(location, "holds tensors that partly share their bytes")


def _size_of_plain_file(item: External, folder: Path) -> int:
    """Bytes of the file a tensor points to: a regular one inside the folder, or an error."""
    place_in = PurePosixPath(item.location)
    parts = place_in.parts
    if (
        not parts
        or place_in.is_absolute()
        or any(part in ("..", ".") for part in item.location.split("/"))
        or "\\" in item.location
        or "\x00" in item.location
    ):
        raise _refused(item.tensor, f"points outside its folder ({item.location[:60]!r})")
    for depth in range(1, len(parts) + 1):
        target = folder.joinpath(*parts[:depth])
        try:
            info = os.lstat(target)
        except OSError as error:  # a name that is too long, too
            raise InvalidModel(
                f"The external data {item.location[:60]!r} is missing beside the graph.",
                hint="Put every file of the model into the zip.",
            ) from error
        last = depth == len(parts)
        if stat.S_IFMT(info.st_mode) != (stat.S_IFREG if last else stat.S_IFDIR):
            raise _refused(
                item.tensor, f"points at a link or special file ({item.location[:60]!r})"
            )
        if last and info.st_nlink != 1:
            raise _refused(item.tensor, f"points at a hard link ({item.location[:60]!r})")
    return info.st_size


def _check_model(graph: Path) -> None:
    import onnx

    try:
        onnx.checker.check_model(str(graph))
    except (onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        raise InvalidModel(
            f"This is ONNX, but not a valid model: {quoted(error)}",
            hint="Export it again, or repair what the checker names.",
        ) from error


def _keep(
    graph: Path, proto: Any, externals: tuple[External, ...], out: Path
) -> tuple[Path, tuple[Step, ...]]:
    """The original in its place: as it came, or with its external data gathered into it."""
    import onnx

    if not externals:
        path = place(out, "model.onnx")
        bring(graph, path)
        return path, ()
    total = sum(item.needed for item in externals) + graph.stat().st_size
    if total < _GATHER_LIMIT:
        path = place(out, "model.onnx")
        onnx.load_external_data_for_model(proto, str(graph.parent))
        with disk_errors():
            onnx.save_model(proto, str(path))
        version = Requirement("onnx", "onnx").version or ""
        files = len({item.location for item in externals})
        return path, (Step("gather external data", "onnx", version, {"files": files}),)
    folder = place(out, "onnx")
    folder.mkdir()
    for location in sorted({item.location for item in externals}):
        target = folder / location
        target.parent.mkdir(parents=True, exist_ok=True)
        bring(graph.parent / location, target)
    bring(graph, folder / "model.onnx")
    return folder, ()


def _lookup_rows(graph: Any) -> dict[str, int]:
    """Inputs that are looked up in a table of weights, and how many rows the table has."""
    rows = {tensor.name: int(tensor.dims[0]) for tensor in graph.initializer if tensor.dims}
    behind = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
    found: dict[str, int] = {}
    for node in graph.node:
        if node.op_type == "Gather" and node.input[0] in rows:
            along = next((item.i for item in node.attribute if item.name == "axis"), 0)
            if along == 0:
                found[behind.get(node.input[1], node.input[1])] = rows[node.input[0]]
    return found


def _carried(path: Path) -> Signature:
    spec = format_named("onnx")
    assert spec.read_signature is not None
    signature = spec.read_signature(path)
    if not signature.inputs:
        raise BadRequest(
            "This ONNX model takes no inputs: there is nothing to run it on.",
            hint="Export it with its inputs.",
        )
    return signature


def _refused(name: str, why: str) -> UnsafeModel:
    return UnsafeModel(
        f"This ONNX model was refused: {name[:60]!r} {why}.",
        hint="Nothing was read through it. Save the model again with onnx.save.",
    )
