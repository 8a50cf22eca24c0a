"""The part the PyTorch samples share: a seeded module, written as a torch folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.architectures import ArchitectureSpec, architecture_named, folder
from engine.samples.model import SEED, Progress

SEEDED = f"Made with torch.manual_seed({SEED})."


def build(spec: ArchitectureSpec) -> Any:
    """The module with weights from the fixed seed."""
    import torch

    torch.set_num_threads(1)  # small work; more threads would only wait for each other
    torch.manual_seed(SEED)
    return architecture_named(spec.architecture).build(spec.config)


def save(module: Any, spec: ArchitectureSpec, out: Path, progress: Progress) -> None:
    """Write the module's folder."""
    progress("Writing the model", 0.9)
    folder.write(out, spec, module.eval().state_dict())
