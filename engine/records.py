"""Frozen dataclasses to JSON and back, checked. The only serialisation in the engine."""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeVar

from cattrs import ClassValidationError, transform_error
from cattrs.preconf.json import make_converter
from cattrs.strategies import configure_union_passthrough

from engine.errors import BadRequest

T = TypeVar("T")

_converter = make_converter(forbid_extra_keys=True)
configure_union_passthrough(str | int | float | bool | None, _converter)


def dump(record: Any) -> Any:
    """A dataclass (or a tuple or dict of them) as plain JSON values."""
    return _converter.unstructure(record)


def parse(kind: type[T], data: Any, *, hint: str = "") -> T:
    """``data`` as a ``kind``. Raises BadRequest (with ``hint``) naming every wrong field."""
    try:
        return _converter.structure(data, kind)
    except ClassValidationError as error:
        problems = "; ".join(transform_error(error)[:5])
        raise BadRequest(f"This is not a {kind.__name__}: {problems}.", hint=hint) from error
    except (AttributeError, TypeError, ValueError) as error:
        # What is no mapping at all is not validated, but stumbled over.
        found = type(data).__name__
        raise BadRequest(
            f"This is not a {kind.__name__}: it has no fields, it is a {found}.", hint=hint
        ) from error


def dumps(record: Any) -> str:
    """A record as JSON text. NaN and infinity are refused, since JSON has neither."""
    return json.dumps(dump(record), allow_nan=False, ensure_ascii=False)


def fingerprint(*parts: Any) -> str:
    """A 16-digit hex name for these JSON values: equal values, equal name."""
    text = json.dumps([dump(part) for part in parts], sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
