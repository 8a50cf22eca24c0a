"""The devices of a GPU, for the tasks that need one and no others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine import nvidia, registry

_DEV = Path("/dev")


def devices_for(request: Mapping[str, Any]) -> tuple[Path, ...]:
    """What a task opens of the card: all of the driver's devices where a format asks for a GPU.

    Not run on a GPU yet: docs/gpu-verification.md.
    """
    if not nvidia.has_nvidia_gpu():
        return ()
    artifact = request.get("artifact") or {}
    named = {request.get("target"), request.get("format"), artifact.get("format")}
    asked = [form for name, form in registry.formats().items() if name in named]
    needs = (need for form in asked for need in form.requires)
    if not any(isinstance(need, nvidia.NvidiaGpu) for need in needs):
        return ()
    return tuple(sorted(_DEV.glob("nvidia*")))
