"""Tables: .csv or .parquet, a row a sample, columns for the inputs, and one of labels."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.data.checks import sample_shape
from engine.data.source import Sample, Source
from engine.errors import BadRequest
from engine.lazy import require
from engine.types import Signature, TensorSpec

LABEL = "label"
_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class _Column:
    """Which cells of a row make an input."""

    spec: TensorSpec
    places: tuple[int, ...]
    shape: tuple[int, ...]


def from_csv(path: Path, name: str, signature: Signature, held: ExitStack) -> Source:
    """A CSV whose first line names the columns."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            heads, count = next(csv.reader(file), []), sum(1 for row in csv.reader(file) if row)
        except (UnicodeDecodeError, csv.Error) as error:
            raise BadRequest(f"{name} is not CSV.", hint="Save it as UTF-8.") from error
    file = held.enter_context(path.open(encoding="utf-8-sig", newline=""))
    rows = csv.reader(file)
    next(rows, None)
    filled = (row for row in rows if row)
    return _source(name, [head.strip() for head in heads], filled, count, signature)


def from_parquet(path: Path, name: str, signature: Signature, held: ExitStack) -> Source:
    """A Parquet file, read a batch of rows at a time."""
    parquet = require("pyarrow.parquet", "pyarrow")
    try:
        table = held.enter_context(parquet.ParquetFile(path))
    except (OSError, ValueError) as error:
        raise BadRequest(
            f"{name} is no Parquet file that can be read.", hint="Save it again."
        ) from error

    def rows() -> Iterator[Sequence[Any]]:
        for batch in table.iter_batches(_AT_ONCE):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    heads = list(table.schema_arrow.names)
    return _source(name, heads, rows(), table.metadata.num_rows, signature)


def _source(
    name: str, heads: Sequence[str], rows: Iterable[Sequence[Any]], count: int, signature: Signature
) -> Source:
    labels = heads.index(LABEL) if LABEL in heads else None
    columns = _columns(heads, signature)

    def samples() -> Iterator[Sample]:
        for index, row in enumerate(rows):
            where = f"row {index + 1}"
            if len(row) != len(heads):
                raise BadRequest(
                    f"{where.capitalize()} of {name} has {len(row)} cells; there are "
                    f"{len(heads)} columns.",
                    hint="Every row must have a cell for every column.",
                )
            arrays = {one.spec.name: _array(one, row, heads, where) for one in columns}
            label = None if labels is None else int(_number(row[labels], LABEL, where, whole=True))
            yield Sample(arrays, where, label)

    return Source("table", name, samples(), count)


def _columns(heads: Sequence[str], signature: Signature) -> tuple[_Column, ...]:
    """Inputs by name where every one has its column; else all columns make the only input."""
    shapes = {spec.name: sample_shape(spec, signature) for spec in signature.inputs}
    if set(shapes) <= set(heads) and all(_is_one(shape) for shape in shapes.values()):
        return tuple(
            _Column(spec, (heads.index(spec.name),), (1,) * len(shapes[spec.name]))
            for spec in signature.inputs
        )
    features = tuple(at for at, head in enumerate(heads) if head != LABEL)
    spec = signature.inputs[0]
    if len(signature.inputs) != 1 or len(shapes[spec.name]) != 1:
        wanted = ", ".join(map(repr, shapes))
        raise BadRequest(
            f"The columns ({', '.join(heads[:8])}) do not make the inputs {wanted}.",
            hint="A table fits a model of one row of numbers, or one with an input for every "
            "column by its name. Bring arrays (.npz) for any other.",
        )
    width = shapes[spec.name][0]
    if isinstance(width, int) and width != len(features):
        raise BadRequest(
            f"There are {len(features)} columns beside {LABEL!r}; {spec.name!r} takes {width}.",
            hint=f"Keep the columns the model was trained on, in that order, and {LABEL!r}.",
        )
    return (_Column(spec, features, (len(features),)),)


def _is_one(shape: tuple[int | str, ...]) -> bool:
    """Whether a sample of this shape is one number."""
    return all(size == 1 for size in shape)


def _array(column: _Column, row: Sequence[Any], heads: Sequence[str], where: str) -> np.ndarray:
    whole = np.issubdtype(np.dtype(column.spec.dtype), np.integer)
    numbers = [_number(row[at], heads[at], where, whole=whole) for at in column.places]
    return np.array(numbers, column.spec.dtype).reshape(column.shape)


def _number(cell: Any, head: str, where: str, *, whole: bool) -> float:
    """A cell as a number; an empty one is NaN, which is found and named later."""
    empty = cell is None or cell == ""
    try:
        number = float("nan") if empty else float(cell)
    except (TypeError, ValueError) as error:
        raise _wrong(cell, head, where, "a number") from error
    if whole and not number.is_integer():
        raise _wrong(cell, head, where, "a whole number")
    return number


def _wrong(cell: Any, head: str, where: str, wanted: str) -> BadRequest:
    return BadRequest(
        f"{where.capitalize()} holds {str(cell)[:40]!r} in the column {head!r}, which is not "
        f"{wanted}.",
        hint="Encode categories as the model was trained on them.",
    )
