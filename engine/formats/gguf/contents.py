"""Everything a GGUF file says of itself: its metadata and its tensors, as tables."""

from __future__ import annotations

from pathlib import Path

from engine.formats.gguf.file import Array, Header, Plain, Value, read
from engine.types import Listing

_MOST = 5000
"""Rows of a table that are kept; a model of 500 layers has about as many tensors."""
_LONGEST = 2000
"""Characters of a text that are kept: a chat template has some thousands."""
_LONGEST_OF_LIST = 60
_WORDS = {bool: "yes or no", int: "whole number", float: "number", str: "text"}


def inspect(path: Path) -> tuple[Listing, ...]:
    """The metadata, long lists told by their first elements, and the tensors.

    Only the header is read, so that it works for files that nothing here can run. Raises
    InvalidModel, UnsupportedModel.
    """
    header = read(path)
    return _metadata(header), _tensors(header)


def _metadata(header: Header) -> Listing:
    rows = tuple((key, _kind(value), _told(value)) for key, value in header.metadata.items())
    return Listing("Metadata", ("Key", "Kind", "Value"), rows[:_MOST], max(0, len(rows) - _MOST))


def _tensors(header: Header) -> Listing:
    rows = tuple(
        (tensor.name, " × ".join(map(str, tensor.shape)), tensor.block.name, tensor.nbytes)
        for tensor in header.tensors
    )
    columns = ("Tensor", "Shape, rows first", "Type", "Bytes")
    return Listing("Tensors", columns, rows[:_MOST], max(0, len(rows) - _MOST))


def _kind(value: Value) -> str:
    if isinstance(value, Array):
        inner = _WORDS[type(value.head[0])] if value.head else "nothing"
        return f"list of {inner}, {value.count:,} long"
    return _WORDS[type(value)]


def _told(value: Value) -> str:
    if not isinstance(value, Array):
        return _cut(_plain(value), _LONGEST)
    shown = ", ".join(_cut(_plain(item), _LONGEST_OF_LIST) for item in value.head)
    return f"{shown}, …" if value.count > len(value.head) else shown


def _plain(value: Plain) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"
