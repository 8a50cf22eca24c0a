"""Holds a stand-in to the interface of the real library: names, argument counts and types.

The interface is data: for each class its members, a list of signatures for a method, a number for
a value of an enumeration. Whatever is not there raises what the real bindings raise.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping
from typing import Any

Interface = Mapping[str, Mapping[str, Any]]


class Guarded:
    """Base of a stand-in class. ``_members`` is what the real class has."""

    _members: Mapping[str, Any] = {}
    _world: Any = None

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_"):
            return object.__getattribute__(self, name)
        kind = type(self)._members.get(name)
        if kind is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        value = object.__getattribute__(self, name)
        return (
            checked(name, kind, value, type(self)._world.classes)
            if isinstance(kind, list)
            else value
        )

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and type(self)._members.get(name) != "property":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        object.__setattr__(self, name, value)


def checked(
    name: str, signatures: list[str], function: Callable[..., Any], world: Mapping[str, Any]
) -> Callable[..., Any]:
    """The function, after the arguments were found to fit one of the signatures."""

    def call(*arguments: Any, **named: Any) -> Any:
        if not any(_fits(signature, arguments, named, world) for signature in signatures):
            raise TypeError(
                f"{name}(): incompatible function arguments. Supported: {signatures}; "
                f"invoked with: {arguments}, {named}"
            )
        return function(*arguments, **named)

    return call


def _fits(
    signature: str, arguments: tuple[Any, ...], named: Mapping[str, Any], world: Mapping[str, Any]
) -> bool:
    parameters = [_parameter(part) for part in _split(signature)]
    if len(arguments) > len(parameters):
        return False
    given = dict(zip((name for name, _, _ in parameters), arguments, strict=False))
    if set(given) & set(named) or set(named) - {name for name, _, _ in parameters}:
        return False
    given |= named
    return all(
        (name in given and _is(given[name], kind, world)) or (name not in given and optional)
        for name, kind, optional in parameters
    )


def _split(signature: str) -> list[str]:
    """Parameters, not those commas inside of brackets."""
    return [part for part in re.split(r",\s*(?![^\[<(]*[\]>)])", signature) if part.strip()]


def _parameter(text: str) -> tuple[str, str, bool]:
    declared, _, default = text.partition("=")
    name, _, kind = declared.partition(":")
    return name.strip(), kind.strip(), bool(default)


def _is(value: Any, kind: str, world: Mapping[str, Any]) -> bool:
    if value is None:
        return False
    if kind == "Dims":
        return isinstance(value, tuple | list) and all(type(size) is int for size in value)
    if kind == "buffer":
        try:
            memoryview(value)
        except TypeError:
            return False
        return True
    plain = {"int": int, "str": str, "bool": bool, "float": float, "tuple": tuple, "list": list}
    if kind == "int" and isinstance(value, bool | enum.Enum):
        return False
    wanted = plain.get(kind) or world.get(kind)
    return wanted is None or isinstance(value, wanted)


class _Number:
    """As a pybind enumeration: has a name, a value and an int, compares with its own kind only."""

    def __int__(self) -> int:
        return int(self.value)


def enumeration(name: str, values: Mapping[str, int]) -> Any:
    """An enumeration with exactly these values; another name raises AttributeError."""
    return enum.Enum(name, dict(values), type=_Number)
