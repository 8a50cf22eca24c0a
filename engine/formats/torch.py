"""Eager PyTorch: the reference. A folder of architecture, weights and signature, run as written."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from engine.architectures import folder
from engine.lazy import Requirement
from engine.registry import Format
from engine.tensors import ModuleRunner, largest, torch_errors
from engine.types import Artifact, RunnerOptions


def load(path: Path) -> Any:
    """The ``nn.Module``, in eval mode. Raises InvalidModel."""
    with torch_errors("building the model"):
        return folder.build(path)


def open_runner(artifact: Artifact, options: RunnerOptions) -> ModuleRunner:
    """A Runner that calls the module as written; float64 gives the reference's noise floor."""
    return ModuleRunner(lambda: load(artifact.path), artifact.signature, options)


def describe(path: Path) -> tuple[int | None, dict[str, int], dict[str, str]]:
    """Parameters, how often each leaf module occurs, and facts."""
    module = load(path)
    spec = folder.read_spec(path)
    leaves = (item for item in module.modules() if not any(True for _ in item.children()))
    weights = dict(module.named_parameters())
    dtypes = sorted({str(item.dtype).removeprefix("torch.") for item in weights.values()})
    facts = {"Architecture": spec.architecture, "Weights stored as": ", ".join(dtypes) or "none"}
    return (
        sum(item.numel() for item in weights.values()),
        dict(Counter(type(item).__name__ for item in leaves).most_common()),
        facts | largest(weights),
    )


FORMAT = Format(
    name="torch",
    label="PyTorch (eager)",
    suffix="",
    requires=(Requirement("torch", "torch"), Requirement("safetensors", "safetensors")),
    load=load,
    open_runner=open_runner,
    read_signature=folder.read_signature,
    describe=describe,
    import_module="torch",
    tensor_bytes=folder.tensor_bytes,
)
