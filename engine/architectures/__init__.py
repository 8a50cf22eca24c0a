"""Architectures: what a bare state_dict is loaded into. The folder, a file a family, lists them."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from engine.architecture import Architecture, ArchitectureSpec, Config
from engine.errors import BadRequest


@cache
def architectures() -> tuple[Architecture, ...]:
    """Every architecture in this folder, by name. Imports no framework."""
    modules = (
        importlib.import_module(f"{__name__}.{entry.name}")
        for entry in pkgutil.iter_modules(__path__)
    )
    found = (item for module in modules for item in getattr(module, "ARCHITECTURES", ()))
    return tuple(sorted(found, key=lambda item: item.name))


def architecture_named(name: str) -> Architecture:
    """The architecture of that name. Raises BadRequest naming those there are."""
    for item in architectures():
        if item.name == name:
            return item
    known = ", ".join(item.name for item in architectures())
    raise BadRequest(
        f"There is no architecture {name!r}.",
        hint=f"Known architectures: {known}; or give a transformers config.json.",
    )


def spec_for(name: str, config: Config | None = None) -> ArchitectureSpec:
    """The architecture of that name with its default configuration, changed by ``config``."""
    architecture = architecture_named(name)
    if architecture.needs_config and not config:
        raise BadRequest(
            f"The architecture {name!r} needs a configuration.",
            hint="Give the model's config.json as well.",
        )
    return ArchitectureSpec(name, {**architecture.default_config, **(config or {})})


__all__ = [
    "Architecture",
    "ArchitectureSpec",
    "Config",
    "architecture_named",
    "architectures",
    "spec_for",
]
