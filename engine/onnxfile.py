"""An ONNX file on the disk: read, written, stamped. What the format and the passes on it share."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.errors import EngineError, InvalidModel, UnsupportedModel
from engine.files import disk_errors
from engine.lazy import Requirement
from engine.records import dumps
from engine.tensors import OUT_OF_MEMORY, first_line
from engine.types import Artifact, Step

PRODUCER = "assay"
PROTOBUF_LIMIT = 2_000_000_000
"""Bytes above which weights must lie beside the graph: a protobuf ends at 2 GiB."""
HEAVY = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""Operators where the time goes: without one of these in 8 bits there is nothing to gain."""
EXTERNAL = "model.onnx.data"
"""The name of the file with the weights, where they lie beside the graph."""


@contextmanager
def onnx_errors(doing: str) -> Iterator[None]:
    """Turn what onnx and ONNX Runtime raise into InvalidModel or UnsupportedModel."""
    try:
        yield
    except (EngineError, MemoryError):
        raise
    except Exception as error:
        text = _plain(str(error))
        if any(phrase in str(error) for phrase in OUT_OF_MEMORY):
            raise MemoryError(text) from error
        if type(error).__name__ == "NotImplemented":
            raise UnsupportedModel(
                f"ONNX Runtime has no implementation for an operator of this model: {text}",
                hint="Convert with another opset, or keep the model in TorchScript.",
            ) from error
        raise InvalidModel(
            f"ONNX failed while {doing}: {text}",
            hint="Check the file with onnx.checker, and the signature it declares.",
        ) from error


def _plain(text: str) -> str:
    """What ONNX Runtime said, without its error code and its own source lines."""
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text.strip())
    text = re.sub(r"Status Message: \S*\.(?:h|cc):\d+ \S.*?\) ", "Status Message: ", text, count=1)
    return first_line(text.replace("Name:'' ", ""))


def file_of(path: Path) -> Path:
    """The graph: the path itself, or the one ``.onnx`` file in the folder. Raises InvalidModel."""
    if not path.is_dir():
        return path
    found = sorted(path.glob("*.onnx"))
    if len(found) != 1:
        raise InvalidModel(
            f"The folder should hold one .onnx file; it holds {len(found)}.",
            hint="Pack one model with its external data.",
        )
    return found[0]


def load(path: Path) -> Any:
    """The ``onnx.ModelProto``, weights included. Raises InvalidModel."""
    import onnx

    with onnx_errors("reading the file"):
        return onnx.load(str(file_of(path)))


def graph_only(path: Path) -> Any:
    """The same, but weights that lie beside the graph stay there."""
    import onnx

    with onnx_errors("reading the file"):
        return onnx.load(str(file_of(path)), load_external_data=False)


def stamp(out: Path, source: Artifact, step: Step) -> None:
    """Write producer, the source's hash and the lineage into the file's own metadata."""
    import onnx

    model = graph_only(out)
    made_by = f"{model.producer_name} {model.producer_version}".strip()
    model.producer_name, model.producer_version = PRODUCER, Requirement("onnx", "onnx").version
    lineage = (*source.lineage, step)
    said = {
        "assay.exporter": made_by or step.tool,
        "assay.source_format": source.format,
        "assay.source_sha256": source.sha256,
        "assay.lineage": dumps([f"{item.verb}: {item.tool} {item.version}" for item in lineage]),
    }
    known = {item.key: item.value for item in model.metadata_props}
    onnx.helper.set_model_props(model, {**known, **said})
    write_graph(model, out)


def save(model: Any, out: Path) -> None:
    """Write a ``ModelProto`` whose weights are inline: beside the graph where they are too large.

    ``out`` is the graph; a second file then lies beside it.
    """
    import onnx

    with disk_errors():
        if outgrows_one_file(model):
            onnx.save_model(model, str(out), save_as_external_data=True, location=EXTERNAL)
        else:
            onnx.save_model(model, str(out))


def weight_bytes(model: Any) -> int:
    """Bytes of the weights that are inline. Counted one by one: protobuf sizes nothing > 2 GB."""
    weights = (item for graph in graphs(model.graph) for item in graph.initializer)
    return sum(len(item.raw_data) or item.ByteSize() for item in weights)


def tensor_bytes(path: Path) -> int:
    """Bytes of all weights, wherever they lie, by their shapes and types. Raises InvalidModel."""
    model = graph_only(path)
    held = [item for graph in graphs(model.graph) for item in graph.initializer]
    held += [
        attribute.t
        for node in nodes(model.graph)
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.HasField("t")
    ]
    return sum(math.prod(item.dims) * _bits(item.data_type) // 8 for item in held)


def _bits(kind: int) -> int:
    """Of one value of a tensor's type."""
    import onnx

    if onnx.TensorProto.DataType.Name(kind) in ("INT4", "UINT4", "FLOAT4E2M1"):
        return 4  # numpy has a byte for each
    return 8 * int(onnx.helper.tensor_dtype_to_np_dtype(kind).itemsize)


def outgrows_one_file(model: Any) -> bool:
    """Whether the weights must lie beside the graph."""
    return weight_bytes(model) > PROTOBUF_LIMIT


def write_graph(model: Any, out: Path) -> None:
    """Write a graph back; weights that lie beside it stay where they are."""
    with disk_errors():
        out.write_bytes(model.SerializeToString())


def drop_unused_domains(out: Path) -> None:
    """ONNX Runtime declares every domain it knows; readers refuse those they do not."""
    model = graph_only(out)
    used = {node.domain for graph in graphs(model.graph) for node in graph.node}
    kept = [item for item in model.opset_import if item.domain in used or not item.domain]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    write_graph(model, out)


def graphs(graph: Any) -> Iterator[Any]:
    """A graph and those inside its branches and loops."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs(attribute.g)


def nodes(graph: Any) -> Iterator[Any]:
    """Every node, those inside branches and loops included."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from nodes(attribute.g)
