"""An editable table of a model's inputs: names, types, shapes with dynamic axes, ranges."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import streamlit as st

from engine import BadRequest, Signature, TensorSpec
from pages.components.table import grid, of_columns

TYPES = ("float32", "float16", "float64", "int64", "int32", "int8", "uint8", "bool")
EXAMPLE = TensorSpec("input", "float32", ("batch", 3, 224, 224))
_SYMBOL = re.compile(r"[A-Za-z_]\w*")


def table(specs: Iterable[TensorSpec]) -> None:
    """Inputs or outputs, to read."""
    listed = list(specs)
    columns = {
        "Name": [spec.name for spec in listed],
        "Type": [spec.dtype for spec in listed],
        "Shape": [shape_text(spec) for spec in listed],
        "Range": [_range(spec) for spec in listed],
    }
    grid(of_columns(columns))


def editor(specs: tuple[TensorSpec, ...], key: str, *, fixed: bool = False) -> Signature:
    """Inputs, to change. ``fixed`` keeps their number. Raises BadRequest naming what is wrong."""
    edited = st.data_editor(
        [_row(spec) for spec in specs],
        key=key,
        hide_index=True,
        num_rows="fixed" if fixed else "dynamic",
        column_config={
            "Name": st.column_config.TextColumn(required=True, help="As the model calls it."),
            "Type": st.column_config.SelectboxColumn(options=TYPES, required=True),
            "Shape": st.column_config.TextColumn(
                required=True, help="Sizes by ×. A word is an axis that varies: batch × 3 × 224."
            ),
            "Low": st.column_config.NumberColumn(help="Smallest value that makes sense."),
            "High": st.column_config.NumberColumn(help="Values stay below this."),
        },
    )
    rows = [row for row in edited if row.get("Name")]
    if not rows:
        raise BadRequest("A signature needs at least one input.", hint="Add a row to the table.")
    return Signature(tuple(_spec(row) for row in rows))


def shape_text(spec: TensorSpec) -> str:
    """``batch × 3 × 224 × 224``; a single number is ``one value``."""
    return " × ".join(str(dim) for dim in spec.shape) or "one value"


def _row(spec: TensorSpec) -> dict[str, Any]:
    return {
        "Name": spec.name,
        "Type": spec.dtype,
        "Shape": shape_text(spec),
        "Low": spec.low,
        "High": spec.high,
    }


def _range(spec: TensorSpec) -> str:
    if spec.low is None and spec.high is None:
        return "any"
    if spec.high is None:
        return f"from {spec.low:,.10g}"
    if "int" in spec.dtype:
        return f"{spec.low or 0:,.10g} to {spec.high - 1:,.10g}"
    return f"{spec.low or 0:,.10g} to {spec.high:,.10g}"


def _spec(row: dict[str, Any]) -> TensorSpec:
    name = str(row["Name"]).strip()
    low, high = row.get("Low"), row.get("High")
    if low is not None and high is not None and low >= high:
        raise BadRequest(
            f"The range of {name} is empty: from {low:g} to {high:g}.",
            hint="Low must be smaller than High.",
        )
    shape = _shape(name, str(row.get("Shape") or ""))
    return TensorSpec(name, str(row.get("Type") or "float32"), shape, low, high)


def _shape(name: str, text: str) -> tuple[int | str, ...]:
    """Parts between ×, commas or spaces: whole numbers and words."""
    if text.strip() == "one value":
        return ()
    parts = [part for part in re.split(r"[×,\s\[\]()]+", text) if part]
    dims: list[int | str] = []
    for part in parts:
        if part.isascii() and part.isdigit() and int(part) > 0:
            dims.append(int(part))
        elif _SYMBOL.fullmatch(part):
            dims.append(part)
        else:
            raise BadRequest(
                f"{part[:30]!r} in the shape of {name} is neither a size nor a word.",
                hint="Write for instance: batch × 3 × 224 × 224.",
            )
    if not dims:
        raise BadRequest(
            f"The shape of {name} is missing.", hint="Write for instance: batch × 3 × 224 × 224."
        )
    return tuple(dims)
