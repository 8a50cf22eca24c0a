"""A format's options as widgets: drawn from what the format declares, known to nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import streamlit as st

import engine
from engine import Choice, Target
from pages.components import state


def targets(names: Sequence[str]) -> tuple[Target, ...]:
    """The chosen formats with their options; several where several values of one were picked."""
    return tuple(target for name in names for target in _of_format(name))


def _of_format(name: str) -> tuple[Target, ...]:
    spec = engine.list_formats()[name]
    declared = engine.choices(spec.options)
    if not declared:
        return (Target(name),)
    with st.expander(f"{spec.label}: options"):
        picked = [_widget(name, item) for item in declared]
    chosen = []
    for values in product(*picked):
        pairs = zip(declared, values, strict=True)
        chosen.append(Target(name, {i.name: v for i, v in pairs if v != i.default}))
    return tuple(chosen)


def _widget(name: str, item: Choice) -> Sequence[Any]:
    """One option drawn; gives the values picked, nearly always one."""
    key, help_ = f"{state.OPTION}{name}_{item.name}", item.help or None
    words = dict(item.values)
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
    if isinstance(item.default, int):
        return (
            st.number_input(item.label, item.low, item.high, item.default, key=key, help=help_),
        )
    return (st.text_input(item.label, str(item.default or ""), key=key, help=help_),)
