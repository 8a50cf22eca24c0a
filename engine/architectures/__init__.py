"""Architectures: what a bare state_dict is loaded into. The folder, a file a family, lists them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from engine.errors import BadRequest
from engine.lazy import Requirement
from engine.types import Signature

Config = Mapping[str, Any]
"""An architecture's own settings: plain JSON values."""


def _as_it_is(module: Any, signature: Signature) -> Any:
    return module


@dataclass(frozen=True, slots=True)
class Architecture:
    """Code that a state_dict's weights belong to.

    ``build(config)`` gives the bare ``nn.Module``, whose keys the state_dict must have;
    ``signature(config)`` its inputs (and outputs, where they are known without running);
    ``adapt(module, signature)`` a module that takes tensors by position and gives a tensor or a
    tuple of them. ``needs_config`` is True where there is no sensible default configuration.
    """

    name: str
    label: str
    build: Callable[[Config], Any]
    signature: Callable[[Config], Signature]
    default_config: Config = field(default_factory=dict)
    adapt: Callable[[Any, Signature], Any] = _as_it_is
    requires: tuple[Requirement, ...] = (Requirement("torch", "torch"),)
    needs_config: bool = False


@dataclass(frozen=True, slots=True)
class ArchitectureSpec:
    """Which architecture, with which configuration: what ``architecture.json`` holds."""

    architecture: str
    config: Mapping[str, Any] = field(default_factory=dict)


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
