"""Passes found by folder, handlers found by decorator, and where on a route each is done.

A pass makes a model smaller or faster and keeps its format: a quantization, a pruning. It is one
module (or package) in ``engine/passes`` with a module-level ``PASSES``, and one handler a
format.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol

from engine.data.model import Samples
from engine.errors import UnsupportedModel
from engine.options import NoOptions, choices
from engine.registry import Conversion, formats
from engine.types import Artifact, Change, Scalar, Target


class Progress(Protocol):
    """How a handler says what it is doing, and how far it is, 0 to 1."""

    def __call__(self, message: str, fraction: float | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass does, in words a page can show.

    ``kind`` groups those of which a person takes one. ``precision`` names the limits an artifact
    of it is judged by (``engine.verify.limits``); empty where it changes the model on purpose, so
    that what comes after is held against the changed model. ``wants`` is what it works from beside
    the model.
    """

    name: str
    label: str
    sentence: str
    kind: Literal["precision", "pruning"]
    options: type[Any] = NoOptions
    precision: str = ""
    wants: Literal["", "samples", "labels"] = ""
    per_target: bool = False
    """Whether what is made depends on the format it goes on to (``Given.target``)."""
    printed_as: str = ""
    """Its precision in the founding document's tables (``reference.yaml``), where it is there."""
    leaves_pairs: bool = False
    """Whether it leaves Q/DQ pairs in an ONNX graph: layers can then be compared with float."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a handler works with beside the model."""

    samples: Samples
    progress: Progress
    target: str = ""
    """The format at the end of the way; empty where it ends here."""


Handler = Callable[[Artifact, Path, Any, Given], Conversion]
"""``(source, out, options, given)``: writes a file or folder of the same format at ``out``."""

Fits = Callable[[Artifact], str | None]
"""Why this artifact cannot take the pass, in one sentence. Imports no framework."""

Caution = Callable[[str], str]
"""What to know of this machine before the pass is done for that format; empty where nothing."""


@dataclass(frozen=True, slots=True)
class _Way:
    run: Handler
    fits: Fits | None
    onward: tuple[str, ...] | None
    final: bool = True
    caution: Caution | None = None


_ways: dict[tuple[str, str], _Way] = {}


def handles(
    name: str,
    format: str,
    *,
    fits: Fits | None = None,
    onward: Sequence[str] | None = None,
    final: bool = True,
    caution: Caution | None = None,
) -> Callable[[Handler], Handler]:
    """Register what a pass does to artifacts of a format.

    ``onward`` names the formats its result can still be converted to; None: any. Without ``final``
    it has to be: nothing runs the result as it is. ``caution`` is said before the choice.
    """

    def register(function: Handler) -> Handler:
        reached = None if onward is None else tuple(onward)
        _ways[(name, format)] = _Way(function, fits, reached, final, caution)
        return function

    return register


@cache
def passes() -> dict[str, Pass]:
    """Every pass in ``engine/passes``, by name, prunings first. The folder is the list."""
    import engine.passes as package

    modules = (
        importlib.import_module(f"{package.__name__}.{entry.name}")
        for entry in pkgutil.iter_modules(package.__path__)
    )
    found: list[Pass] = [one for module in modules for one in getattr(module, "PASSES", ())]
    return {
        one.name: one for one in sorted(found, key=lambda one: (one.kind != "pruning", one.name))
    }


def pass_named(name: str) -> Pass:
    """The pass of that name. Raises UnsupportedModel naming those there are."""
    known = passes()
    if name not in known:
        raise UnsupportedModel(f"There is no pass {name!r}.", hint=f"Passes: {', '.join(known)}.")
    return known[name]


def handler(name: str, format: str) -> Handler:
    """What the pass does to artifacts of that format."""
    passes()
    return _ways[(name, format)].run


def handled(name: str) -> tuple[str, ...]:
    """The formats the pass itself is done on."""
    passes()
    return tuple(format for known, format in _ways if known == name)


def refusal(name: str, artifact: Artifact) -> str | None:
    """Why the pass cannot be done on this artifact; None where it can."""
    passes()
    way = _ways.get((name, artifact.format))
    if way is None:
        return _only_on(name, artifact.format)
    return way.fits(artifact) if way.fits else None


def caution(name: str, format: str, target: str) -> str:
    """What to know before the pass is done on ``format`` on the way to ``target``, if anything."""
    passes()
    way = _ways.get((name, format))
    return way.caution(target) if way and way.caution else ""


def placed(stops: Sequence[str], changes: Sequence[Change]) -> tuple[tuple[Change, ...], ...]:
    """For every stop of a route, the passes done there, in order.

    A pruning is done as early as it can be, so that every format is of the same pruned model; what
    changes the precision as late as it can be. Raises UnsupportedModel where a pass is done at
    none of them.
    """
    at: list[list[Change]] = [[] for _ in stops]
    last = len(stops) - 1
    for change in reversed(changes):
        spots = [place for place in range(last + 1) if _can(change.name, stops[place:])]
        if not spots:
            raise UnsupportedModel(
                _only_on(change.name, stops[-1]), hint="Choose another format or another pass."
            )
        last = min(spots) if pass_named(change.name).kind == "pruning" else max(spots)
        at[last].insert(0, change)
    return tuple(tuple(done) for done in at)


def words(change: Change) -> str:
    """A pass as a person reads it, with the options that differ from the usual."""
    known = passes().get(change.name)
    if known is None:
        return change.name
    usual = {item.name: item.default for item in choices(known.options)}
    return _with_options(
        known.label,
        {key: value for key, value in change.options.items() if value != usual.get(key)},
    )


def label_of(target: Target) -> str:
    """What a person calls a target: ``"ONNX (opset 18), INT8 calibrated"``."""
    known = formats().get(target.format)
    own = _with_options(known.label if known else target.format, target.options)
    return ", ".join((own, *(words(change) for change in target.passes)))


def _with_options(label: str, options: Mapping[str, Scalar]) -> str:
    said = ", ".join(f"{name} {_short(value)}" for name, value in options.items())
    return f"{label} ({said})" if said else label


def _short(value: Scalar) -> str:
    """A list of names by its first; anything else as it is."""
    first, *others = str(value).split(";")
    return f"{first} and {len(others)} more" if others else first


def _can(name: str, stops: Sequence[str]) -> bool:
    """Whether the pass is done on the first of these formats, and its result reaches the others."""
    passes()
    way = _ways.get((name, stops[0]))
    if way is None or not (way.final or stops[1:]):
        return False
    return way.onward is None or set(stops[1:]) <= set(way.onward)


def _only_on(name: str, format: str) -> str:
    known = formats()
    label = known[format].label if format in known else format
    where = ", ".join(known[one].label for one in handled(name) if one in known) or "no format"
    return f"{pass_named(name).label} is not done on {label}: it is done on {where}."
