"""Formats found by folder, converters found by decorator, and the routes between them.

A format is one module (or package) in ``engine/formats`` with a module-level ``FORMAT``. Converters
live in the target's file and name their source by string, so that formats never import each other.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from engine.errors import NoRoute, UnsupportedModel
from engine.lazy import Requirement
from engine.types import Artifact, ConvertOptions, Runner, RunnerOptions, Signature, Step


@dataclass(frozen=True, slots=True)
class Format:
    """What one format can do. Probed without importing its framework.

    ``load`` gives the framework's own object (an ``nn.Module``, an ``onnx.ModelProto``), on which
    converters work; ``open_runner`` gives a Runner; ``read_signature`` gives what the file itself
    says, with symbolic dimensions. ``describe`` gives (parameters, op histogram, facts).
    """

    name: str
    label: str
    suffix: str
    requires: tuple[Requirement, ...]
    load: Callable[[Path], Any]
    open_runner: Callable[[Artifact, RunnerOptions], Runner]
    read_signature: Callable[[Path], Signature] | None
    describe: Callable[[Path], tuple[int | None, dict[str, int], dict[str, str]]]
    import_module: str
    """The module whose import alone is the memory baseline of this format."""
    runtime: str = ""
    """What runs it, where that has a name of its own: an ONNX file is run by ONNX Runtime."""

    @property
    def missing(self) -> tuple[Requirement, ...]:
        """The requirements that are not installed."""
        return tuple(need for need in self.requires if not need.installed)

    @property
    def available(self) -> bool:
        """Whether everything it needs is installed."""
        return not self.missing

    @property
    def run_label(self) -> str:
        """The name of what is measured: the runtime's, else the format's."""
        return self.runtime or self.label


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a converter gives back: the signature it produced and the steps it took."""

    signature: Signature
    step: Step


Converter = Callable[[Artifact, Path, ConvertOptions], Conversion]
"""``(source, out, options)``: writes the target file or folder at ``out``."""

_converters: dict[tuple[str, str], Converter] = {}


def converter(source: str, target: str) -> Callable[[Converter], Converter]:
    """Register the function that turns ``source`` artifacts into ``target`` artifacts."""

    def register(function: Converter) -> Converter:
        _converters[(source, target)] = function
        return function

    return register


@cache
def formats() -> dict[str, Format]:
    """Every format in ``engine/formats``, by name. The folder is the list."""
    import engine.formats as package

    found: dict[str, Format] = {}
    for entry in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{entry.name}")
        found[module.FORMAT.name] = module.FORMAT
    return dict(sorted(found.items()))


def format_named(name: str) -> Format:
    """The format of that name. Raises UnsupportedModel naming those there are."""
    known = formats()
    if name not in known:
        raise UnsupportedModel(
            f"There is no format {name!r}.", hint=f"Known formats: {', '.join(known)}."
        )
    return known[name]


def targets(source: str) -> tuple[str, ...]:
    """The formats that can be reached from ``source``, nearest first."""
    reached = _paths(source)
    return tuple(name for name in reached if name != source)


def route(source: str, target: str) -> tuple[tuple[str, str], ...]:
    """The shortest chain of (source, target) edges. Raises NoRoute."""
    format_named(target)
    reached = _paths(source)
    if target not in reached:
        others = ", ".join(name for name in reached if name != source) or "nothing yet"
        raise NoRoute(
            f"No conversion leads from {source} to {target}.",
            hint=f"From {source} Assay reaches: {others}.",
        )
    return reached[target]


def edge(source: str, target: str) -> Converter:
    """The converter of one edge of a route."""
    formats()
    return _converters[(source, target)]


def load(artifact: Artifact) -> Any:
    """The framework's own object for an artifact."""
    return format_named(artifact.format).load(artifact.path)


def open_runner(artifact: Artifact, options: RunnerOptions) -> Runner:
    """A Runner for an artifact, whatever its format."""
    return format_named(artifact.format).open_runner(artifact, options)


def _paths(source: str) -> dict[str, tuple[tuple[str, str], ...]]:
    """Breadth-first from ``source`` over the formats that are installed."""
    known = formats()
    reached: dict[str, tuple[tuple[str, str], ...]] = {source: ()}
    queue = deque([source])
    while queue:
        here = queue.popleft()
        for start, end in _converters:
            if start == here and end not in reached and known[end].available:
                reached[end] = (*reached[here], (start, end))
                queue.append(end)
    return reached
