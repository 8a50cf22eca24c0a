"""Options as widgets: drawn from what a format or a pass declares, known to nobody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import streamlit as st

import engine
from engine import Choice, Format, Pass, Scalar, Target
from pages.components import state


def targets(names: Sequence[str]) -> tuple[Target, ...]:
    """The chosen formats with their options; several where several values of one were picked."""
    return tuple(target for name in names for target in _of_format(name))


def _of_format(name: str) -> tuple[Target, ...]:
    spec = engine.list_formats()[name]
    return tuple(Target(name, options) for options in chosen(name, spec))


def chosen(name: str, owner: Format | Pass) -> tuple[dict[str, Scalar], ...]:
    """What was picked among the options of a format or a pass, where it is not the usual."""
    declared = engine.choices(owner.options)
    if not declared:
        return ({},)
    picked: dict[str, Sequence[Any]] = {}
    with st.expander(f"{owner.label}: options"):
        for item in declared:
            picked[item.name] = _widget(name, item, _at_default(declared, picked))
    rows = (zip(declared, values, strict=True) for values in product(*picked.values()))
    return tuple({i.name: value for i, value in row if value != i.default} for row in rows)


def of(name: str, declared: type[Any]) -> dict[str, Scalar]:
    """What was picked among options that no format and no pass owns, drawn on the spot."""
    found = ((item, _widget(name, item, frozenset())[0]) for item in engine.choices(declared))
    return {item.name: value for item, value in found if value != item.default}


def _at_default(declared: Sequence[Choice], picked: Mapping[str, Sequence[Any]]) -> frozenset[str]:
    """The options drawn so far that are as they were."""
    return frozenset(
        item.name for item in declared if list(picked.get(item.name, ())) == [item.default]
    )


def _widget(name: str, item: Choice, at_default: frozenset[str]) -> Sequence[Any]:
    """One option drawn; gives the values picked, nearly always one."""
    key, help_ = f"{state.OPTION}{name}_{item.name}", item.help or None
    words = dict(item.values)
    if item.many and item.groups:
        return _grouped(item, key, at_default)
    if item.many:
        return st.multiselect(
            item.label, list(words), [item.default], words.__getitem__, key=key, help=help_
        )
    if words:
        index = list(words).index(str(item.default))
        return (
            st.selectbox(item.label, list(words), index, words.__getitem__, key=key, help=help_),
        )
    if isinstance(item.default, bool):
        return (st.toggle(item.label, item.default, key=key, help=help_),)
    if isinstance(item.default, int | float):
        return (
            st.number_input(item.label, item.low, item.high, item.default, key=key, help=help_),
        )
    return (st.text_input(item.label, str(item.default or ""), key=key, help=help_),)


def _grouped(item: Choice, key: str, at_default: frozenset[str]) -> list[Any]:
    """Every value to be seen, under the headings that the format gives."""
    st.markdown(item.label, help=item.help or None)
    picked: list[Any] = []
    for index, group in enumerate(item.groups):
        closed = group.needs in at_default
        found = st.pills(
            group.label,
            group.values,
            selection_mode="multi",
            default=[value for value in group.values if value == item.default],
            format_func=dict(item.values).__getitem__,
            key=f"{key}_{index}",
            disabled=closed,
        )
        st.caption(group.note)
        picked += [] if closed else found
    return picked
