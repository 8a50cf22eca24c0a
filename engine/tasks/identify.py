"""What a model is, found out in a process of its own: its bytes are a stranger's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from engine.errors import BadRequest, InvalidModel
from engine.files import disk_errors
from engine.jobs.isolation.refusals import refuse_kind
from engine.jobs.protocol import Context
from engine.records import dump, parse
from engine.registry import LISTINGS
from engine.sources import Recognised, Wanted, recognise
from engine.sources.detect import identify
from engine.sources.originals import FOLDER
from engine.sources.sample import make
from engine.sources.words import one_line
from engine.types import Signature

_LISTED = 500
_LONGEST_CELL = 2000
_TYPES = (
    *("float32", "float16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool"),
    *("complex64", "complex128"),
)
T = TypeVar("T")


def run(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """``{"model": {path, name, kind, …}}``; the original lies in ``out/original``."""
    context.out.mkdir(parents=True, exist_ok=True)
    if request["origin"] == "sample":
        made = make(request["source"], context.out, context.progress)
    else:
        context.progress("Looking at the bytes", 0.0)
        found = identify(Path(request["source"]), request["name"])
        refuse_kind(found.kind)
        made = recognise(found, _wanted(request), context.out, context.progress)
    _check_names(made.signature)
    _keep_listings(made, context.out)
    return {"model": _as_json(made, context.out)}


def _wanted(request: Mapping[str, Any]) -> Wanted:
    signature, config = request.get("signature"), request.get("config")
    given = parse(Signature, signature) if signature else None
    if given:
        _check_given(given)
    return Wanted(
        architecture=request.get("architecture"),
        config=Path(config) if config else None,
        signature=given,
    )


def _check_given(signature: Signature) -> None:
    """A person's types and sizes must be ones that a tensor can hold."""
    for spec in signature.inputs:
        if spec.dtype not in _TYPES:
            raise BadRequest(
                f"The input {one_line(spec.name)} has the type {one_line(spec.dtype)!r}, "
                "which no model takes.",
                hint=f"Give one of {', '.join(_TYPES)}.",
            )
        for dim in spec.shape:
            fits = dim.isidentifier() if isinstance(dim, str) else dim > 0
            if not fits:
                raise BadRequest(
                    f"{one_line(str(dim))!r} in the shape of {one_line(spec.name)} is neither a "
                    "size from 1 up nor a word.",
                    hint="Write for instance [batch,3,224,224].",
                )


def _check_names(signature: Signature) -> None:
    """A name must fit on a line: models call their inputs as they like."""
    for spec in (*signature.inputs, *signature.outputs):
        for text in (spec.name, *(dim for dim in spec.shape if isinstance(dim, str))):
            if text != one_line(text):
                raise InvalidModel(
                    f"An input, output or axis has an unreadable name: {one_line(text)!r}.",
                    hint="Name it in plain characters, at most 200 of them, and export it again.",
                )


def _keep_listings(made: Recognised, out: Path) -> None:
    """Everything the file says of itself, in a file beside it: too much for a row of the store."""
    if not made.listings:
        return
    cleaned = [
        replace(listing, rows=tuple(tuple(map(_cell, row)) for row in listing.rows))
        for listing in made.listings
    ]
    with disk_errors():
        (out / FOLDER / LISTINGS).write_text(json.dumps(dump(cleaned)), encoding="utf-8")


def _cell(value: str | int) -> str | int:
    return value if isinstance(value, int) else one_line(value, _LONGEST_CELL)


def _shown(named: Mapping[str, T]) -> dict[str, T]:
    """The first few hundred of them, under names that can be shown."""
    return {one_line(name): value for name, value in islice(named.items(), _LISTED)}


def _as_json(made: Recognised, out: Path) -> dict[str, Any]:
    return {
        "path": made.path.relative_to(out).as_posix(),
        "name": made.name,
        "kind": made.kind,
        "format": made.format,
        "signature": dump(made.signature),
        "signature_origin": made.signature_origin,
        "parameters": made.parameters,
        "op_histogram": _shown(made.op_histogram),
        "facts": {name: one_line(text) for name, text in _shown(made.facts).items()},
        "notes": [one_line(note) for note in made.notes],
        "lineage": [dump(step) for step in made.lineage],
        "variant": made.variant,
        "barred": one_line(made.barred, _LONGEST_CELL),
    }
