"""torch.export: PyTorch's graph format (.pt2), the successor of TorchScript."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from engine.errors import UnsupportedModel
from engine.exporting import export
from engine.files import disk_errors
from engine.lazy import Requirement
from engine.options import NoOptions
from engine.records import dumps, parse
from engine.registry import Conversion, Format, converter
from engine.registry import load as load_artifact
from engine.tensors import ModuleRunner, largest, torch_errors, zipped_bytes
from engine.types import Artifact, Dim, RunnerOptions, Signature, Step, TensorSpec

_TORCH = Requirement("torch", "torch")
_SIGNATURE = "signature.json"


def load(path: Path) -> Any:
    """The ``ExportedProgram``. Raises InvalidModel."""
    import torch

    with torch_errors("reading the torch.export file"):
        return torch.export.load(str(path))


def open_runner(artifact: Artifact, options: RunnerOptions) -> ModuleRunner:
    """A Runner over the program's module, called with the structure it was exported with."""
    return ModuleRunner(lambda: _callable(load(artifact.path)), artifact.signature, options)


def _callable(program: Any) -> Any:
    from torch.utils import _pytree as pytree

    module = program.module()

    def call(*tensors: Any) -> Any:
        args, kwargs = pytree.tree_unflatten(list(tensors), program.call_spec.in_spec)
        return pytree.tree_leaves(module(*args, **kwargs))

    return call


def read_signature(path: Path) -> Signature:
    """What the file says: the signature Assay put beside the graph, else the graph's own."""
    import torch

    beside = {_SIGNATURE: ""}
    with torch_errors("reading the torch.export file"):
        program = torch.export.load(str(path), extra_files=beside)
    found = _signature_of(program)
    if not beside[_SIGNATURE]:
        return found
    given = parse(Signature, json.loads(beside[_SIGNATURE]))
    return given if _agree(given, found) else found


def _agree(given: Signature, found: Signature) -> bool:
    """Whether two signatures differ in names and bounds only."""
    pairs = ((given.inputs, found.inputs), (given.outputs, found.outputs))
    return all(
        [(spec.dtype, len(spec.shape)) for spec in one]
        == [(spec.dtype, len(spec.shape)) for spec in other]
        for one, other in pairs
    )


def _signature_of(program: Any) -> Signature:
    """Names, dtypes and shapes as the graph has them; symbols get readable names."""
    nodes = {node.name: node for node in program.graph.nodes}
    names: dict[str, str] = {}
    inputs = tuple(
        _spec(_readable(name), nodes[name], names) for name in program.graph_signature.user_inputs
    )
    outputs = [name for name in program.graph_signature.user_outputs if name in nodes]
    single = len(outputs) == 1
    labels = ["output"] if single else [f"output_{index}" for index in range(len(outputs))]
    return Signature(
        inputs=inputs,
        outputs=tuple(
            _spec(label, nodes[name], names) for label, name in zip(labels, outputs, strict=True)
        ),
    )


def _readable(name: object) -> str:
    if not isinstance(name, str):
        raise UnsupportedModel(
            f"This torch.export program takes the constant {name!r} as an input.",
            hint="Export it again with tensors as its only inputs.",
        )
    return name


def _spec(label: str, node: Any, names: dict[str, str]) -> TensorSpec:
    """``names`` maps the graph's symbols (``s77``) to ours; the first is the batch."""
    import torch

    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor):
        raise UnsupportedModel(
            f"{label!r} of this torch.export program is not a tensor.",
            hint="Export it again with tensors as its only inputs and outputs.",
        )
    dims: list[Dim] = []
    sizes: tuple[Any, ...] = tuple(value.shape)  # an int, or a symbolic one
    for axis, size in enumerate(sizes):
        if isinstance(size, int):
            dims.append(size)
        else:
            fresh = "batch" if axis == 0 and not names else f"{label}_{axis}"
            dims.append(_dim(str(size), fresh, names))
    return TensorSpec(label, str(value.dtype).removeprefix("torch."), tuple(dims))


def _dim(symbol: str, fresh: str, names: dict[str, str]) -> str:
    if symbol.isidentifier():
        return names.setdefault(symbol, fresh)
    return re.sub(r"[A-Za-z_]\w*", lambda found: names.get(found[0], found[0]), symbol)


def describe(path: Path) -> tuple[int | None, dict[str, int], dict[str, str]]:
    """Parameters, how often each operator occurs, and facts."""
    program = load(path)
    parameters = dict(program.named_parameters())
    calls = (node for node in program.graph.nodes if node.op == "call_function")
    facts = {
        "Dynamic axes": ", ".join(map(str, program.range_constraints)) or "none",
        "Dialect": str(program.dialect),
    }
    return (
        sum(item.numel() for item in parameters.values()),
        dict(Counter(str(node.target) for node in calls).most_common()),
        facts | largest(parameters),
    )


@converter("torch", "exported")
def exported_from_torch(source: Artifact, out: Path, _: NoOptions) -> Conversion:
    """Export with the signature's dynamic axes. Raises UnsupportedModel for data-dependent flow."""
    import torch

    program = export(load_artifact(source), source.signature)
    # The example inputs would be saved as a pickle, which nobody should have to trust.
    program.example_inputs = None
    with disk_errors(), torch_errors("saving the torch.export file"):
        torch.export.save(program, str(out), extra_files={_SIGNATURE: dumps(source.signature)})
    step = Step("export", "torch.export", _TORCH.version or "", {"strict": False})
    return Conversion(source.signature, step)


FORMAT = Format(
    name="exported",
    label="torch.export (.pt2)",
    suffix=".pt2",
    requires=(_TORCH,),
    load=load,
    open_runner=open_runner,
    read_signature=read_signature,
    describe=describe,
    import_module="torch",
    concurrent=True,
    tensor_bytes=zipped_bytes,
    holds_code=True,
)
