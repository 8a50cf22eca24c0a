"""What was done to a module after it was built: its new sizes, its precision. JSON, no code.

Nothing is replayed. The architecture builds the module as it always does, the sizes in this record
are set on it, and the weights are loaded strictly. Sizes are absolute, so that several prunings in
a row leave one record.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from engine.errors import InvalidModel
from engine.records import dumps, parse

FILE = "surgery.json"
VERSION = 1
Sizes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Surgery:
    """How a module differs from what its architecture builds.

    ``attributes`` holds, by module and attribute, the whole numbers that changed (one, or a tuple
    of them); ``shapes`` the tensors that did. ``precision`` is what it computes in, ``kept`` the
    modules that stay in float32, ``per_channel`` whether INT8 weights have a scale a channel.
    """

    attributes: Mapping[str, Mapping[str, Sizes]] = field(default_factory=dict)
    shapes: Mapping[str, Sizes] = field(default_factory=dict)
    precision: Literal["", "float16", "bfloat16", "int8"] = ""
    kept: tuple[str, ...] = ()
    per_channel: bool = False
    schema_version: int = VERSION


def read(folder: Path) -> Surgery:
    """The record in a model's folder; an empty one where nothing was done. Raises InvalidModel."""
    path = folder / FILE
    if not path.is_file():
        return Surgery()
    try:
        found = parse(Surgery, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, InvalidModel) as error:
        raise _damaged(str(error)) from error
    if found.schema_version != VERSION:
        raise _damaged(f"its schema version is {found.schema_version}, not {VERSION}")
    return found


def write(folder: Path, surgery: Surgery) -> None:
    """Keep the record in a model's folder; none where nothing was done."""
    path = folder / FILE
    path.unlink(missing_ok=True)
    if surgery != Surgery():
        path.write_text(dumps(surgery), encoding="utf-8")


def sizes_between(built: Any, changed: Any) -> tuple[dict[str, dict[str, Sizes]], dict[str, Sizes]]:
    """(attributes, shapes) in which a changed module differs from one as it was built.

    Where no tensor has another shape nothing was resized, whatever a module remembers.
    """
    as_built = {name: tuple(tensor.shape) for name, tensor in built.state_dict().items()}
    shapes = {
        name: tuple(tensor.shape)
        for name, tensor in changed.state_dict().items()
        if tuple(tensor.shape) != as_built.get(name)
    }
    if not shapes:
        return {}, {}
    before = {name: _whole_numbers(item) for name, item in built.named_modules()}
    attributes = {
        name: dict(differing)
        for name, item in changed.named_modules()
        if (differing := _whole_numbers(item) - before.get(name, set()))
    }
    return attributes, shapes


def resize(module: Any, surgery: Surgery) -> None:
    """Set a built module's sizes, and make room for its weights. Raises InvalidModel."""
    modules = dict(module.named_modules())
    for name, attributes in surgery.attributes.items():
        for attribute, value in attributes.items():
            _set(modules.get(name), name, attribute, value)
    for name, shape in surgery.shapes.items():
        owner, _, leaf = name.rpartition(".")
        _reshape(modules.get(owner), name, leaf, shape)


def _whole_numbers(module: Any) -> set[tuple[str, Sizes]]:
    """(attribute, its value as a tuple) of every whole number a module remembers."""
    return {(key, found) for key, value in vars(module).items() if (found := _sizes(value))}


def _sizes(value: object) -> Sizes:
    items = value if isinstance(value, tuple) else (value,)
    plain = all(isinstance(item, int) and not isinstance(item, bool) for item in items)
    return tuple(int(item) for item in items) if plain else ()


def _set(module: Any, name: str, attribute: str, value: Sizes) -> None:
    known = vars(module).get(attribute) if module is not None else None
    if not _sizes(known) or (isinstance(known, int) and len(value) != 1):
        raise _damaged(f"{name or 'the model'} has no size {attribute!r}")
    setattr(module, attribute, value[0] if isinstance(known, int) else value)


def _reshape(module: Any, name: str, leaf: str, shape: Sizes) -> None:
    import torch

    stores: Iterator[Any] = (
        store
        for store in (getattr(module, "_parameters", {}), getattr(module, "_buffers", {}))
        if isinstance(store.get(leaf), torch.Tensor)
    )
    store = next(stores, None)
    if store is None:
        raise _damaged(f"there is no tensor {name!r}")
    fresh = store[leaf].new_empty(shape)
    is_weight = isinstance(store[leaf], torch.nn.Parameter)
    store[leaf] = torch.nn.Parameter(fresh, requires_grad=False) if is_weight else fresh


def _damaged(why: str) -> InvalidModel:
    return InvalidModel(
        f"{FILE} in the model's folder is damaged: {why}.", hint="Make the artifact again."
    )
