"""Bare weights: a model once the architecture they belong to is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engine.architectures import ArchitectureSpec, architectures, folder, spec_for
from engine.errors import BadRequest, InvalidModel
from engine.sources import weights
from engine.sources.model import Found, Progress, Recognised, Wanted
from engine.sources.originals import place, recognised

KINDS = ("state_dict", "safetensors")
_CONFIG_LIMIT = 4 << 20


def recognise(found: Found, wanted: Wanted, out: Path, progress: Progress) -> Recognised:
    """Read the weights, then see that they fit the architecture."""
    progress("Reading the weights", 0.1)
    tensors, notes = weights.read(found.path)
    spec = _spec(wanted)
    progress("Fitting them into the architecture", 0.5)
    path = place(out, "torch")
    signature, more = folder.write(path, spec, tensors, wanted.signature)
    origin = wanted.origin("proposed")
    return recognised(found, path, "torch", signature, origin, notes=(*notes, *more))


def _spec(wanted: Wanted) -> ArchitectureSpec:
    """The architecture asked for. Raises BadRequest listing those there are."""
    if wanted.config:
        return spec_for(wanted.architecture or "transformers", read_config(wanted.config))
    if wanted.architecture:
        return spec_for(wanted.architecture)
    known = ", ".join(item.name for item in architectures() if not item.needs_config)
    raise BadRequest(
        "These are weights alone (a state_dict); the architecture they belong to is missing.",
        hint=f"Name one of {known}; or give a transformers config.json.",
    )


def read_config(path: Path) -> dict[str, Any]:
    """A config.json as a mapping. Raises InvalidModel."""
    if path.stat().st_size > _CONFIG_LIMIT:
        raise InvalidModel(
            f"This config.json has {path.stat().st_size:,} bytes; one has a few thousand.",
            hint="Give the config.json that lies beside the weights.",
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidModel(
            "This config.json is not JSON.",
            hint="Give the config.json that lies beside the weights.",
        ) from error
    if not isinstance(config, dict):
        raise InvalidModel(
            "This config.json holds no settings by name.",
            hint="Give the config.json that lies beside the weights.",
        )
    return config
