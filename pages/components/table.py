"""Tables on a page, made without pandas: it takes 40 MiB, and half a millisecond a frame.

``st.table`` imports it whatever it is given, ``st.dataframe`` unless told that nothing is loaded
lazily, and ``pyarrow.array`` to see whether the cells are its own.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, Protocol

import pyarrow as pa
import streamlit as st


class Tabular(Protocol):
    """A table of ready text, as the engine gives it."""

    @property
    def columns(self) -> tuple[str, ...]: ...

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]: ...


def of_text(table: Tabular) -> pa.Table:
    """A table of the engine as one that Streamlit draws. Cells stay text."""
    columns = zip(*table.rows, strict=True) if table.rows else ((),) * len(table.columns)
    return pa.Table.from_arrays(list(map(_texts, columns)), names=list(table.columns))


def of_columns(
    texts: Mapping[str, Sequence[str]], numbers: Mapping[str, Sequence[int]] | None = None
) -> pa.Table:
    """Columns of equal length: those of text, then those of whole numbers."""
    counted = numbers or {}
    made = [*map(_texts, texts.values()), *map(_numbers, counted.values())]
    return pa.Table.from_arrays(made, names=[*texts, *counted])


def grid(made: pa.Table, column_config: Mapping[str, Any] | None = None) -> None:
    """A table to sort, search and copy from."""
    st.dataframe(made, hide_index=True, lazy=False, column_config=column_config)


def show(rows: Iterable[Mapping[str, str]]) -> None:
    """A table to read, of rows that name their cells alike: they wrap, and are Markdown."""
    listed = list(rows)
    names = list(listed[0])
    lines = [names, ["---"] * len(names), *(list(row.values()) for row in listed)]
    st.markdown("\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines), width="stretch")


def folded(label: str, table: Tabular, key: str) -> None:
    """A table one click away; closed, it costs nothing."""
    with st.expander(label, key=key, on_change="rerun") as box:
        if box.open:
            grid(of_text(table))


def _cell(text: str) -> str:
    return " ".join(text.replace("\\|", "|").replace("|", "\\|").split())


def _texts(cells: Sequence[str]) -> pa.Array:
    written = [cell.encode() for cell in cells]
    ends = array("i", accumulate(map(len, written), initial=0))
    return pa.StringArray.from_buffers(
        len(written), pa.py_buffer(ends), pa.py_buffer(b"".join(written))
    )


def _numbers(cells: Sequence[int]) -> pa.Array:
    return pa.Array.from_buffers(pa.int64(), len(cells), [None, pa.py_buffer(array("q", cells))])
