"""What a person may choose, declared once, by the format or the pass it belongs to.

Options are a frozen dataclass whose fields are made with ``choice``. Pages draw them, the shell
reads them, and ``read`` checks them: nothing else knows their names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from engine.errors import BadRequest
from engine.types import Change, Scalar, Target

T = TypeVar("T")
_YES, _NO = ("yes", "true", "1", "on"), ("no", "false", "0", "off")


@dataclass(frozen=True, slots=True)
class NoOptions:
    """A format with nothing to choose."""


@dataclass(frozen=True, slots=True)
class Group:
    """Values that belong together, under one heading.

    ``needs`` names another option of the same dataclass: as long as that one is at its default,
    these values are shown and not offered.
    """

    label: str
    note: str
    values: tuple[str, ...]
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing to choose.

    ``values`` are the values allowed, each with its words; empty for a number between ``low`` and
    ``high``, for a flag (``default`` is a bool) and for text. ``many``: people want several of it
    at once, each an artifact of its own. ``groups``, where there are any, hold every value once.
    """

    name: str
    default: Scalar
    label: str
    help: str
    values: Mapping[str, str]
    low: float | None
    high: float | None
    many: bool
    groups: tuple[Group, ...]


def choice(
    default: Scalar,
    label: str,
    help: str = "",
    *,
    values: Mapping[str, str] | None = None,
    low: float | None = None,
    high: float | None = None,
    many: bool = False,
    groups: tuple[Group, ...] = (),
) -> Any:
    """A field of an options dataclass. The words are what a person reads."""
    said = {"label": label, "help": help, "values": values or {}, "groups": groups}
    return field(default=default, metadata={**said, "low": low, "high": high, "many": many})


def choices(options: type[Any]) -> tuple[Choice, ...]:
    """Everything there is to choose in an options dataclass, in its order."""
    declared: tuple[Any, ...] = fields(options)
    return tuple(Choice(item.name, item.default, **item.metadata) for item in declared)


def parse_target(text: str) -> Target:
    """A target as it is written: ``onnx:opset=18+int8-static:method=entropy``. Raises BadRequest.

    A format with its options, then the passes with theirs.
    """
    (name, options), *changes = (parse_one(part, text) for part in text.split("+"))
    return Target(name, options, tuple(Change(*change) for change in changes))


def parse_one(part: str, text: str) -> tuple[str, dict[str, Scalar]]:
    """A name and its options."""
    name, *pairs = (piece.strip() for piece in part.split(":"))
    for pair in pairs:
        if "=" not in pair:
            raise BadRequest(
                f"{pair!r} in {text!r} is not an option.",
                hint="Write a format, then its options: gguf:type=Q4_K_M.",
            )
    return name, {key: value for key, _, value in (pair.partition("=") for pair in pairs)}


def read(options: type[T], given: Mapping[str, Scalar], owner: str) -> T:
    """The options of ``owner``, from values or their text.

    Raises BadRequest for a name it does not have, or a value that does not fit.
    """
    known = {item.name: item for item in choices(options)}
    for name in given:
        if name not in known:
            there = ", ".join(known) or "none"
            raise BadRequest(
                f"{owner} has no option {name!r}.", hint=f"The options it has: {there}."
            )
    return options(**{name: _fitting(known[name], value, owner) for name, value in given.items()})


def _fitting(item: Choice, value: Scalar, owner: str) -> Scalar:
    """The value in the type of the default."""
    text = str(value).strip()
    if item.values:
        if text in item.values:
            return text
        expected = f"one of {', '.join(item.values)}"
    elif isinstance(item.default, bool):
        if text.lower() in (*_YES, *_NO):
            return text.lower() in _YES
        expected = "yes or no"
    elif isinstance(item.default, int):
        low = -math.inf if item.low is None else item.low
        high = math.inf if item.high is None else item.high
        if re.fullmatch(r"-?[0-9]{1,18}", text) and low <= int(text) <= high:
            return int(text)
        expected = f"a whole number from {item.low} to {item.high}"
    elif isinstance(item.default, float):
        low = -math.inf if item.low is None else item.low
        high = math.inf if item.high is None else item.high
        number = _number(text)
        if number is not None and low <= number <= high:
            return number
        expected = f"a number from {item.low} to {item.high}"
    elif not re.search("[:,+]", text):
        return text
    else:
        expected = "a text without ':', ',' and '+', which separate options, formats and passes"
    raise BadRequest(
        f"The option {item.name} of {owner} is {text!r}; it must be {expected}.",
        hint=item.help or item.label,
    )


def _number(text: str) -> float | None:
    """A finite number as it is written; None for anything else."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
