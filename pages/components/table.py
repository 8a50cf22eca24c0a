"""Tables on a page, made as Arrow's: that is what is sent, and pandas takes ten times as long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
    return pa.table([pa.array(cells, pa.string()) for cells in columns], names=table.columns)


def of_records(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows that name their cells, all with the same names; a column holds one type or nothing."""
    return pa.Table.from_pylist(list(rows))


def show(rows: Sequence[Mapping[str, str]], alt: str, *, hide_header: bool = False) -> None:
    """A table to read: its cells wrap and are Markdown. ``alt`` is its name for screen readers."""
    st.table(
        of_records(rows), hide_index=True, hide_header=hide_header, border="horizontal", alt=alt
    )


def folded(label: str, table: Tabular, key: str) -> None:
    """A table one click away; closed, it costs nothing."""
    with st.expander(label, key=key, on_change="rerun") as box:
        if box.open:
            st.dataframe(of_text(table), hide_index=True)
