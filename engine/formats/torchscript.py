"""TorchScript: the compiled form of PyTorch that runs without Python. Deprecated, still common."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.exporting import Method, Scripted, to_torchscript
from engine.files import disk_errors
from engine.lazy import Requirement
from engine.options import choice
from engine.registry import Conversion, Format, converter
from engine.registry import load as load_artifact
from engine.tensors import ModuleRunner, largest, torch_errors
from engine.types import Artifact, RunnerOptions, Step

_TORCH = Requirement("torch", "torch")
DEPRECATED = "PyTorch has deprecated TorchScript; torch.export (.pt2) is its successor."


@dataclass(frozen=True, slots=True)
class TorchScriptOptions:
    """``auto`` traces, and scripts when the model's path depends on its data."""

    method: Method = choice(
        "auto",
        "How to make it",
        "Tracing records one run; a model that decides by its data needs script.",
        values={
            "auto": "Let Assay decide",
            "trace": "Trace: record one run",
            "script": "Script: compile the Python, branches and loops included",
        },
    )


def load(path: Path) -> Any:
    """The ``ScriptModule``, in eval mode, on the CPU. Raises InvalidModel."""
    import torch

    with warnings.catch_warnings(), torch_errors("reading the TorchScript file"):
        warnings.simplefilter("ignore", DeprecationWarning)
        module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
        return module.eval()


def open_runner(artifact: Artifact, options: RunnerOptions) -> ModuleRunner:
    """A Runner over the loaded ScriptModule."""
    return ModuleRunner(lambda: load(artifact.path), artifact.signature, options)


def describe(path: Path) -> tuple[int | None, dict[str, int], dict[str, str]]:
    """Parameters (a frozen module holds them as constants), node kinds of the graph, and facts."""
    module = load(path)
    graph = module.inlined_graph
    nodes = list(_nodes(graph))
    tensors = dict(module.named_parameters()) or _constants(nodes)
    frozen = "no" if any(True for _ in module.parameters()) else "yes"
    operators = Counter(node.kind() for node in nodes if not node.kind().startswith("prim::"))
    flow = Counter(node.kind() for node in nodes if node.kind() in ("prim::If", "prim::Loop"))
    facts = {"Weights are constants (frozen)": frozen, "Branches and loops": str(flow.total())}
    return (
        sum(item.numel() for item in tensors.values()),
        dict((operators + flow).most_common()),
        facts | largest(tensors),
    )


def _nodes(block: Any) -> Any:
    """Every node of a graph, those inside branches and loops included."""
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from _nodes(inner)


def _constants(nodes: list[Any]) -> dict[str, Any]:
    """The floating tensors a frozen graph carries as constants, by the name of their value."""
    held = (
        (node.output().debugName(), node.t("value"))
        for node in nodes
        if node.kind() == "prim::Constant"
        and "value" in node.attributeNames()
        and node.kindOf("value") == "t"
    )
    return {name: tensor for name, tensor in held if tensor.is_floating_point() and tensor.dim()}


@converter("torch", "torchscript")
def torchscript_from_torch(source: Artifact, out: Path, options: TorchScriptOptions) -> Conversion:
    """Trace or script the module, as the option ``method`` says."""
    made = to_torchscript(load_artifact(source), source.signature, options.method)
    return _save(made, source, out)


@converter("exported", "torchscript")
def torchscript_from_exported(
    source: Artifact, out: Path, options: TorchScriptOptions
) -> Conversion:
    """Trace the module of a ``torch.export`` program: its path is fixed already."""
    made = to_torchscript(_unchecked(load_artifact(source)), source.signature, "trace")
    note = "Traced from the recorded graph, which has one path only."
    return _save(replace(made, notes=(note,)), source, out)


def _unchecked(program: Any) -> Any:
    """The program without its input checks, which look at shapes as a trace cannot."""
    from torch import Tensor, nn

    class Unchecked(nn.Module):
        def __init__(self, graph: Any) -> None:
            super().__init__()
            self.graph = graph

        def forward(self, *tensors: Tensor) -> Any:
            # Past __call__, whose hook does the checking.
            return self.graph.forward(*tensors)

    return Unchecked(program.module(check_guards=False))


def _save(made: Scripted, source: Artifact, out: Path) -> Conversion:
    import torch

    with disk_errors(), torch_errors("saving the TorchScript file"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(made.module, str(out))
    step = Step(
        verb=f"{made.method} and freeze",
        tool=f"torch.jit.{made.method}",
        version=_TORCH.version or "",
        options={"method": made.method},
        notes=(*made.notes, DEPRECATED),
    )
    return Conversion(source.signature, step)


FORMAT = Format(
    name="torchscript",
    label="TorchScript",
    suffix=".pt",
    requires=(_TORCH,),
    load=load,
    open_runner=open_runner,
    read_signature=None,
    describe=describe,
    import_module="torch",
    options=TorchScriptOptions,
)
