"""What an architecture is: code that the weights of a bare state_dict belong to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.lazy import Requirement
from engine.types import Signature

Config = Mapping[str, Any]
"""An architecture's own settings: plain JSON values."""


def _never(config: Config) -> bool:
    return False


def _as_it_is(module: Any, signature: Signature) -> Any:
    return module


@dataclass(frozen=True, slots=True)
class Architecture:
    """Code that a state_dict's weights belong to.

    ``build(config)`` gives the bare ``nn.Module``, whose keys the state_dict must have;
    ``signature(config)`` its inputs (and outputs, where they are known without running);
    ``adapt(module, signature)`` a module that takes tensors by position and gives a tensor or a
    tuple of them. ``needs_config`` is True where there is no sensible default configuration;
    ``generates(config)`` where what ``adapt`` gives holds one module with transformers' own
    ``generate``, of the inputs that the signature names.
    """

    name: str
    label: str
    build: Callable[[Config], Any]
    signature: Callable[[Config], Signature]
    default_config: Config = field(default_factory=dict)
    adapt: Callable[[Any, Signature], Any] = _as_it_is
    requires: tuple[Requirement, ...] = (Requirement("torch", "torch"),)
    needs_config: bool = False
    generates: Callable[[Config], bool] = _never


@dataclass(frozen=True, slots=True)
class ArchitectureSpec:
    """Which architecture, with which configuration: what ``architecture.json`` holds."""

    architecture: str
    config: Mapping[str, Any] = field(default_factory=dict)
