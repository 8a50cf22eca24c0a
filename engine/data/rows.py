"""Rows of equal shape on the disk, written and read one at a time: .npy files that any tool opens.

Read by seeking, not by mapping: what is looked at once need not stay in memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from tokenize import TokenError
from types import TracebackType
from typing import IO, Self

import numpy as np
from numpy.lib import format as npy

from engine.errors import BadRequest
from engine.files import disk_errors

_LARGEST_ROW = 1 << 30
_UNREADABLE = (SyntaxError, TokenError, TypeError, KeyError, RecursionError)
"""What numpy's reading of a damaged header ends in: it evaluates a Python literal."""


class RowWriter:
    """Appends rows to a new .npy file. A context manager; the number of rows is written last."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._like: np.ndarray | None = None
        self.count = 0

    def add(self, row: np.ndarray) -> None:
        """One row more, of the shape and dtype of the first."""
        with disk_errors():
            if self._like is None:
                self._like = row
                self._head()
            assert (row.shape, row.dtype) == (self._like.shape, self._like.dtype), "uneven rows"
            self._file.write(np.ascontiguousarray(row).tobytes())
        self.count += 1

    def _head(self) -> None:
        # numpy leaves room in the header for the first number to grow.
        assert self._like is not None
        shape = (self.count, *self._like.shape)
        descr = npy.dtype_to_descr(self._like.dtype)
        self._file.seek(0)
        npy.write_array_header_1_0(
            self._file, {"shape": shape, "fortran_order": False, "descr": descr}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._file, disk_errors():
            if self._like is not None:
                self._head()


class RowReader:
    """Rows of an open .npy file or archive member, in order. Never unpickles.

    ``shape`` is that of one row, ``count`` how many there are.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        try:
            version = npy.read_magic(file)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, fortran, self.dtype = read(file)
        except (ValueError, EOFError, *_UNREADABLE) as error:
            raise BadRequest(
                f"{name} is not an array that numpy saved.", hint="Save it with numpy.save."
            ) from error
        _check(name, shape, fortran=fortran, dtype=self.dtype)
        self.name = name
        self.count, self.shape = int(shape[0]), tuple(int(size) for size in shape[1:])
        self._file = file

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return int(math.prod(self.shape)) * self.dtype.itemsize

    def __iter__(self) -> Iterator[np.ndarray]:
        for index in range(self.count):
            yield self._next(index)

    def _next(self, index: int) -> np.ndarray:
        data = self._file.read(self.row_bytes)
        if len(data) < self.row_bytes:
            raise BadRequest(
                f"{self.name} is cut short: it announces {self.count:,} samples and ends in "
                f"sample {index}.",
                hint="Bring the file again, whole.",
            )
        return np.frombuffer(data, self.dtype).reshape(self.shape)


def _check(name: str, shape: tuple[int, ...], *, fortran: bool, dtype: np.dtype) -> None:
    """Refuse what cannot be read row by row."""
    if dtype.hasobject or dtype.names:
        raise BadRequest(
            f"{name} holds Python objects, which are not opened.",
            hint="Save plain numbers: numpy.asarray(samples, dtype='float32').",
        )
    if min(shape, default=1) < 0 or not 0 < math.prod(shape[1:]) * dtype.itemsize <= _LARGEST_ROW:
        raise BadRequest(
            f"{name} has samples of the shape {list(shape[1:])[:8]} and type {dtype}, which is "
            "nothing, or more than a sample can be.",
            hint=f"A sample has from 1 up to {_LARGEST_ROW:,} bytes.",
        )
    if not shape:
        raise BadRequest(
            f"{name} is a single number.", hint="The first axis must count the samples."
        )
    if fortran and len(shape) > 1:
        raise BadRequest(
            f"{name} is stored column by column and cannot be read sample by sample.",
            hint="Save numpy.ascontiguousarray(samples).",
        )


def read_rows(path: Path, wanted: Iterable[int]) -> Iterator[np.ndarray]:
    """The rows of these numbers of a .npy file, each read when it is asked for."""
    with path.open("rb") as file:
        rows = RowReader(file, path.name)
        start = file.tell()
        for index in wanted:
            file.seek(start + index * rows.row_bytes)
            yield rows._next(index)
