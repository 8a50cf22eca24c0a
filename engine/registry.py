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
from typing import Any, Protocol

from engine.data.model import Samples
from engine.errors import NoRoute, UnsupportedModel
from engine.lazy import Requirement
from engine.options import NoOptions
from engine.types import Artifact, Listing, Runner, RunnerOptions, Signature, Step


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
    writes_text: bool = False
    """Whether its Runner is a ``Writer``: a prompt in, an answer out."""
    concurrent: bool = False
    """Whether several threads may call its Runner at once, as its runtime promises."""
    holds_code: bool = False
    """Whether a file of it can do more than compute: one that is brought is then opened in a
    sandbox alone."""
    options: type[Any] = NoOptions
    """What may be chosen when it is made: a dataclass of ``engine.options.choice`` fields."""
    read_variant: Callable[[Path], str] | None = None
    """What tells a file of this format from others, where the file itself says so."""
    inspect: Callable[[Path], tuple[Listing, ...]] | None = None
    """Everything the file says of itself, as tables, where that is more than facts."""
    graph_bytes: Callable[[Path], int] | None = None
    """How many bytes from the file's start tell its graph, where the rest is weights alone."""
    tensor_bytes: Callable[[Path], int] | None = None
    """How many bytes its weights come to as they are stored, read without running anything."""

    @property
    def missing(self) -> tuple[Requirement, ...]:
        """The requirements that are not installed."""
        return tuple(need for need in self.requires if not need.installed)

    @property
    def lacks(self) -> str:
        """What is missing, for the middle of a sentence; empty when nothing is."""
        return "; ".join(need.lack for need in self.missing)

    @property
    def install_lines(self) -> tuple[str, ...]:
        """The lines that install what is missing, where a line can."""
        return tuple(dict.fromkeys(filter(None, (need.install_line for need in self.missing))))

    @property
    def available(self) -> bool:
        """Whether everything it needs is installed."""
        return not self.missing

    @property
    def elsewhere(self) -> bool:
        """Whether all it lacks is what another machine may have: a GPU and what goes with it."""
        return bool(self.missing) and all(need.elsewhere for need in self.missing)

    def named(self, artifact: Artifact) -> str:
        """The format with what tells this artifact from others of it: ``"GGUF Q4_K_M"``."""
        return f"{self.label} {artifact.variant}".strip()

    def runs(self, artifact: Artifact) -> str:
        """The name of what is measured: the runtime's, else the format's, with the variant."""
        return f"{self.runtime or self.label} {artifact.variant}".strip()


LISTINGS = "listings.json"
"""The name of what a file says of itself at length, in the folder that holds the original."""
MATRIX = "imatrix.gguf"
"""The name of the importance matrix in the folder of an artifact that was quantized with one."""
REPORT = "export.md"
"""The name of a conversion's report, in the folder that holds the artifact."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a converter gives back: the signature it produced and the steps it took."""

    signature: Signature
    step: Step
    variant: str = ""
    report: str = ""
    """What the exporter had to say at length, as Markdown; kept beside the artifact."""
    beside: tuple[str, ...] = ()
    """Names of files that lie beside the target and are kept there, but are no part of it."""


class Given(Protocol):
    """What a converter that asks for it works with beside the model."""

    @property
    def samples(self) -> Samples:
        """What was brought as data, the part that never judges."""
        ...

    @property
    def progress(self) -> Callable[[str, float | None], None]:
        """To say what is being done, and how far it is, 0 to 1."""
        ...


Converter = Callable[..., Conversion]
"""``(source, out, options)``: writes the target file or folder at ``out``. ``options`` is of the
target format's own ``options`` type. Where it asks for it, a ``Given`` comes fourth."""

Fits = Callable[[Artifact], str | None]
"""Why a converter cannot take this artifact, in one sentence; None when it may. Opens nothing but
small text files, and imports no framework."""

_converters: dict[tuple[str, str], Converter] = {}
_fits: dict[tuple[str, str], Fits] = {}
_lacks: dict[tuple[str, str], Callable[[], str]] = {}
_given: set[tuple[str, str]] = set()


def converter(
    source: str,
    target: str,
    *,
    fits: Fits | None = None,
    lacks: Callable[[], str] | None = None,
    given: bool = False,
) -> Callable[[Converter], Converter]:
    """Register the function that turns ``source`` artifacts into ``target`` artifacts.

    With ``source`` equal to ``target`` it makes another variant (a quantized one) of the same.
    ``lacks`` says in one sentence what this very way needs and this machine has not, beyond what
    the formats need; empty where nothing. It imports no framework either. With ``given`` the
    function has a fourth argument, a ``Given`` or None.
    """

    def register(function: Converter) -> Converter:
        _converters[(source, target)] = function
        if fits is not None:
            _fits[(source, target)] = fits
        if lacks is not None:
            _lacks[(source, target)] = lacks
        if given:
            _given.add((source, target))
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


def named(artifact: Artifact) -> str:
    """What a person calls an artifact: ``"GGUF Q4_K_M"``."""
    return format_named(artifact.format).named(artifact)


def targets(source: str, artifact: Artifact | None = None) -> tuple[str, ...]:
    """The formats that can be reached from ``source``, nearest first.

    With an ``artifact``, converters that cannot take it are left out.
    """
    reached = _paths(source, artifact)
    own = (source,) if (source, source) in _open_edges(source, artifact) else ()
    return own + tuple(name for name in reached if name != source)


def route(
    source: str, target: str, artifact: Artifact | None = None
) -> tuple[tuple[str, str], ...]:
    """The shortest chain of (source, target) edges. Raises NoRoute."""
    format_named(target)
    if source == target and (source, target) in _open_edges(source, artifact):
        return ((source, target),)
    reached = _paths(source, artifact)
    if target in reached and target != source:
        return reached[target]
    others = ", ".join(targets(source, artifact)) or "nothing"
    raise NoRoute(
        _why_none(source, format_named(target), artifact),
        hint=f"From this model Assay reaches: {others}.",
    )


def waitable(artifact: Artifact) -> tuple[str, ...]:
    """The formats that only another machine, one with a GPU, can make of this artifact."""
    known = formats()

    def edges(here: str) -> _Edges:
        own = artifact if artifact.format == here else None
        return tuple(
            (start, end)
            for start, end in _edges_from(here)
            if (known[end].available or known[end].elsewhere) and not (own and refusal(own, end))
        )

    return tuple(name for name in _search(artifact.format, edges) if known[name].elsewhere)


def stops(source: str, target: str) -> tuple[str, ...]:
    """The formats on the shortest way, were everything installed; empty where there is none."""
    formats()
    return tuple(end for _, end in _search(source, _edges_from).get(target, ()))


def _why_none(source: str, target: Format, artifact: Artifact | None) -> str:
    """Why no chain of converters leads there, in one sentence."""
    if source == target.name:
        already = f"The model is {target.label} already: nothing to convert."
        return (refusal(artifact, target.name) if artifact else None) or already
    if not target.available:
        lines = "; ".join(target.install_lines)
        how = f" Install with: {lines}." if lines else ""
        return f"{target.label} cannot be made here: {target.lacks}.{how}"
    why = refusal(artifact, target.name) if artifact else None
    return why or f"No conversion leads from {source} to {target.name}."


def refusal(artifact: Artifact, target: str) -> str | None:
    """Why the converter straight to ``target`` cannot take this artifact; None where it can."""
    fits = _fits.get((artifact.format, target))
    return lacking(artifact.format, target) or (fits(artifact) if fits else None)


def lacking(source: str, target: str) -> str:
    """What the converter from one to the other needs and this machine has not; empty if nothing."""
    lacks = _lacks.get((source, target))
    return lacks() if lacks else ""


def edge(source: str, target: str) -> Converter:
    """The converter of one edge of a route."""
    formats()
    return _converters[(source, target)]


def takes_given(source: str, target: str) -> bool:
    """Whether the converter of that edge reads data, or works long enough to tell how far it is."""
    formats()
    return (source, target) in _given


def load(artifact: Artifact) -> Any:
    """The framework's own object for an artifact."""
    return format_named(artifact.format).load(artifact.path)


def open_runner(artifact: Artifact, options: RunnerOptions) -> Runner:
    """A Runner for an artifact, whatever its format."""
    return format_named(artifact.format).open_runner(artifact, options)


_Edges = tuple[tuple[str, str], ...]


def _edges_from(source: str) -> _Edges:
    return tuple(pair for pair in _converters if pair[0] == source)


def _open_edges(source: str, artifact: Artifact | None) -> _Edges:
    """The edges that leave ``source`` for installed formats and, if given, take the artifact."""
    known = formats()
    return tuple(
        (start, end)
        for start, end in _edges_from(source)
        if known[end].available
        and not lacking(start, end)
        and not (artifact and artifact.format == source and refusal(artifact, end))
    )


def _paths(source: str, artifact: Artifact | None) -> dict[str, _Edges]:
    """The ways over the formats that are installed."""
    return _search(source, lambda here: _open_edges(here, artifact))


def _search(source: str, edges_from: Callable[[str], _Edges]) -> dict[str, _Edges]:
    """Breadth-first: the shortest way from ``source`` to every format it leads to."""
    reached: dict[str, _Edges] = {source: ()}
    queue = deque([source])
    while queue:
        here = queue.popleft()
        for edge in edges_from(here):
            if edge[1] not in reached:
                reached[edge[1]] = (*reached[here], edge)
                queue.append(edge[1])
    return reached
