"""TorchScript: the compiled form of PyTorch that runs without Python. Deprecated, still common."""

from __future__ import annotations

import importlib
import json
import re
import warnings
from collections import Counter
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from engine.errors import BadRequest, MissingDependency, UnsupportedModel
from engine.files import disk_errors
from engine.lazy import Requirement
from engine.opsets import at_most, opset_of
from engine.options import choice
from engine.registry import Conversion, Format, converter
from engine.registry import load as load_artifact
from engine.scripting import FROZEN_NOT, Method, Scripted, to_torchscript
from engine.tensors import ModuleRunner, first_line, largest, torch_errors, zipped_bytes
from engine.types import Artifact, RunnerOptions, Step

_TORCH = Requirement("torch", "torch")
_ONNX2TORCH = Requirement("onnx2torch", "onnx2torch")
_OLDER = (17, 15)
"""Opsets of which onnx2torch knows more operators than of today's."""
_VISION = Requirement("torchvision", "torchvision")
_SAID = "assay.json"
"""The extra file in which a TorchScript file of ours says what is to be done on loading it."""
_ON_LOAD = (
    "torch.jit.optimize_for_inference is applied on loading, here and in what you deploy: PyTorch "
    "cannot save its result, which suits processors like this one."
)
DEPRECATED = "PyTorch has deprecated TorchScript; torch.export (.pt2) is its successor."


@dataclass(frozen=True, slots=True)
class TorchScriptOptions:
    """``auto`` traces, and scripts where a trace is shown to be wrong."""

    method: Method = choice(
        "auto",
        "How to make it",
        "Tracing records one run and is compared on others; a model that decides by its data "
        "needs script.",
        values={
            "auto": "Let Assay decide",
            "trace": "Trace: record one run",
            "script": "Script: compile the Python, branches and loops included",
        },
    )
    freeze: bool = choice(
        True,
        "Freeze",
        "Weights become constants of the graph, and what they allow to be simplified is.",
    )
    for_inference: bool = choice(
        False,
        "Optimize for inference",
        "torch.jit.optimize_for_inference, for this kind of processor. PyTorch cannot save what "
        "it gives, so it is applied each time the file is loaded.",
    )

    @property
    def variant(self) -> str:
        """What tells the result from the plain one."""
        not_frozen = "" if self.freeze else "not frozen"
        return ", ".join(
            filter(None, (not_frozen, "optimized on load" if self.for_inference else ""))
        )


def load(path: Path) -> Any:
    """The ``ScriptModule`` as saved, in eval mode, on the CPU. Raises InvalidModel."""
    return _read(path)[0]


def _read(path: Path) -> tuple[Any, dict[str, Any]]:
    """The module, and what Assay wrote into the file; nothing where somebody else made it."""
    import torch

    beside = {_SAID: ""}
    with warnings.catch_warnings(), torch_errors("reading the TorchScript file"):
        warnings.simplefilter("ignore", DeprecationWarning)
        module = torch.jit.load(str(path), map_location="cpu", _extra_files=beside)
    return module.eval(), json.loads(beside[_SAID] or "{}")


def open_runner(artifact: Artifact, options: RunnerOptions) -> ModuleRunner:
    """A Runner over the loaded ScriptModule, optimized first where that was asked for."""
    return ModuleRunner(lambda: _opened(artifact.path), artifact.signature, options)


def _opened(path: Path) -> Any:
    import torch

    module, said = _read(path)
    if not said.get("for_inference"):
        return module
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.optimize_for_inference(module)


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
    module = load_artifact(source)
    made = to_torchscript(module, source.signature, options.method, freeze=options.freeze)
    return _save(made, source, out, options)


@converter("exported", "torchscript")
def torchscript_from_exported(
    source: Artifact, out: Path, options: TorchScriptOptions
) -> Conversion:
    """Trace the module of a ``torch.export`` program: its path is fixed already."""
    module = _unchecked(load_artifact(source))
    made = to_torchscript(module, source.signature, "trace", freeze=options.freeze)
    note = "Traced from the recorded graph, which has one path only."
    return _save(replace(made, notes=(note, *made.notes[1:])), source, out, options)


def _lacks_reader() -> str:
    """What onnx2torch needs and this machine has not. Looked up; importing is for the worker."""
    for need, role in ((_ONNX2TORCH, "reads an ONNX graph back into a module"), (_VISION, "")):
        if not need.installed:
            what = f"onnx2torch, which {role}," if role else "torchvision, which onnx2torch needs,"
            return f"{what} is not installed. Install with: {need.install_line}"
    torch, vision = str(_TORCH.version), str(_VISION.version)
    wanted = re.search(r"torch ?\(?==([\d.]+)", " ".join(metadata.requires("torchvision") or ()))
    same_build = torch.partition("+")[2] == vision.partition("+")[2]
    if not same_build or (wanted and wanted[1] != torch.partition("+")[0]):
        return (
            f"onnx2torch needs torchvision, and torchvision {vision} does not import beside "
            f"torch {torch}: both must be of one build."
        )
    return ""


@converter("onnx", "torchscript", lacks=_lacks_reader)
def torchscript_from_onnx(source: Artifact, out: Path, options: TorchScriptOptions) -> Conversion:
    """The graph read into a module by onnx2torch, and traced. Raises UnsupportedModel."""
    module, notes = _read_graph(load_artifact(source))
    made = to_torchscript(module, source.signature, options.method, freeze=options.freeze)
    note = f"The ONNX graph was read into PyTorch by onnx2torch {_ONNX2TORCH.version}."
    return _save(replace(made, notes=(note, *notes, *made.notes)), source, out, options)


def _read_graph(model: Any) -> tuple[Any, tuple[str, ...]]:
    """The graph as a module: as it is, else at an older opset, of which onnx2torch knows more."""
    try:
        onnx2torch = importlib.import_module("onnx2torch")
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        raise MissingDependency(
            f"onnx2torch cannot be imported here: {first_line(str(error))}",
            hint="It needs a torchvision of the same build as torch.",
        ) from error
    said: list[str] = []
    for opset in (opset_of(model), *_OLDER):
        try:
            graph, notes = at_most(model, opset)
            return onnx2torch.convert(graph).eval(), notes
        except MemoryError:
            raise
        except UnsupportedModel as error:
            said.append(error.message)
        except Exception as error:
            # onnx2torch has no error of its own for an operator it does not know.
            said.append(f"At opset {opset} {_stumbled(error)}.")
    raise UnsupportedModel(
        f"onnx2torch cannot read this graph. {' '.join(dict.fromkeys(said))}",
        hint="Bring the PyTorch model itself, or deploy the ONNX file.",
    )


def _stumbled(error: Exception) -> str:
    missing = re.search(r"operation_type='(\w+)', version=(\d+)", str(error))
    return f"it does not know {missing[1]} {missing[2]}" if missing else first_line(str(error))


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


def _save(made: Scripted, source: Artifact, out: Path, options: TorchScriptOptions) -> Conversion:
    import torch

    if options.for_inference and not options.freeze:
        raise BadRequest(
            "optimize_for_inference works on a frozen module.",
            hint="Leave Freeze on, or leave the optimization out.",
        )
    said = {"for_inference": options.for_inference, "source_sha256": source.sha256}
    with disk_errors(), torch_errors("saving the TorchScript file"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(made.module, str(out), _extra_files={_SAID: json.dumps(said)})
    frozen = options.freeze and not any(note.startswith(FROZEN_NOT) for note in made.notes)
    step = Step(
        verb=f"{made.method} and freeze" if frozen else made.method,
        tool=f"torch.jit.{made.method}",
        version=_TORCH.version or "",
        options={
            "method": made.method,
            "freeze": frozen,
            "for_inference": options.for_inference,
        },
        notes=(*made.notes, *((_ON_LOAD,) if options.for_inference else ()), DEPRECATED),
    )
    return Conversion(source.signature, step, options.variant)


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
    concurrent=True,
    tensor_bytes=zipped_bytes,
    holds_code=True,
    options=TorchScriptOptions,
)
