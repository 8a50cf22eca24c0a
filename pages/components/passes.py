"""Passes as widgets: what makes a model smaller or faster, offered where it can be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

import streamlit as st

import engine
from engine import Change, Estimate, Model, Pass, Reach, Target
from pages.components import options, shell, state, table
from pages.components.artifacts import megabytes
from pages.components.text import plain

AS_IS = ""
_KINDS = {
    "precision": ("Precision", "As it is"),
    "pruning": ("Pruning", "Nothing pruned"),
}
_Combination = tuple[Change, ...]
_Reach = Mapping[str, Mapping[str, Reach]]
"""By format and pass: whether it can be done, and what to know of it."""


def grid(model: Model, targets: Sequence[Target]) -> tuple[Target, ...]:
    """Every target with every combination of the passes picked that can be done on its way."""
    names = tuple(dict.fromkeys(target.format for target in targets))
    reach = {name: engine.pass_reach(model.artifact, name) for name in names}
    known = engine.list_passes()
    open_ = {p for found in reach.values() for p, item in found.items() if item.reachable}
    evidence = engine.measured_passes(model.id)
    picked = [
        _kind(
            kind, [p for p in known.values() if p.kind == kind and p.name in open_], reach, evidence
        )
        for kind in ("pruning", "precision")
    ]
    _closed(names, reach)
    return tuple(
        replace(target, passes=passes)
        for target in targets
        for passes in _combinations(picked)
        if all(reach[target.format][change.name].reachable for change in passes)
    )


def forecast(model: Model, targets: Sequence[Target], *, judged: bool) -> None:
    """What it will take, where it is more than a moment."""
    if not targets:
        return
    found = _estimated(tuple(one.key for one in targets), judged, model.id, model, targets)
    minutes = max(1, round(found.seconds / 60))
    time = "under a minute" if found.seconds < 45 else f"about {minutes} min"
    by = (
        "by what these steps took here before"
        if found.known == found.steps
        else f"{found.known} of {found.steps} steps were run here before, the rest is a guess"
    )
    st.caption(
        f"{len(targets)} to make, {found.steps} steps: {time} on this machine ({by}), and at most "
        f"{megabytes(found.disk_bytes)} of disk."
    )


@st.cache_resource(ttl=10, max_entries=64, show_spinner=False)
def _estimated(
    keys: tuple[str, ...], judged: bool, model_id: str, _model: Model, _targets: Sequence[Target]
) -> Estimate:
    """Looked up in earlier jobs anew every ten seconds, not at every run of the page."""
    return engine.estimate(_model, _targets, judged=judged)


def _combinations(picked: Sequence[Sequence[Change | None]]) -> list[_Combination]:
    """One of each kind, nothing being one of them."""
    return [tuple(change for change in row if change) for row in product(*picked)]


def _kind(
    kind: str, offered: Sequence[Pass], reach: _Reach, evidence: Mapping[str, str]
) -> Sequence[Change | None]:
    """The passes of one kind, several at once: each is an artifact of its own."""
    if not offered:
        return [None]
    label, nothing = _KINDS[kind]
    labels = {AS_IS: nothing, **{one.name: one.label for one in offered}}
    names = st.pills(
        label,
        list(labels),
        selection_mode="multi",
        default=[AS_IS],
        format_func=labels.__getitem__,
        key=f"{state.PASSES}{kind}",
    )
    changes: list[Change | None] = [None] if AS_IS in names or not names else []
    for one in offered:
        if one.name in names:
            st.caption(f"**{one.label}.** {one.sentence} {engine.pass_promise(one.name)}")
            _evidence(one, evidence.get(one.name))
            _particulars(one, reach)
            changes += [Change(one.name, chosen) for chosen in options.chosen(one.name, one)]
    return changes


def _evidence(one: Pass, report_id: str | None) -> None:
    """What came of it: the newest report that measured it on this model."""
    if report_id:
        st.page_link(
            shell.page_path("report"),
            label=f"Measured on this model: {one.label}",
            icon=":material/lab_profile:",
            query_params=state.link(report=report_id),
        )


def _particulars(one: Pass, reach: _Reach) -> None:
    """What is to be known of the pass on one format: where it is done, what to beware of."""
    formats = engine.list_formats()
    for name, found in reach.items():
        said = found[one.name].reason.removeprefix(one.sentence).strip()
        if found[one.name].reachable and said:
            st.caption(f"On {formats[name].label}: {plain(said)}")


def _closed(names: Sequence[str], reach: _Reach) -> None:
    """What cannot be done on the way to a format, and why."""
    formats, known = engine.list_formats(), engine.list_passes()
    rows = [
        {"Format": formats[name].label, "Pass": known[one].label, "Why not": item.reason}
        for name in names
        for one, item in reach[name].items()
        if not item.reachable
    ]
    if rows:
        label = "Passes that cannot be done on these formats, and why"
        with st.expander(label, key=state.CLOSED_PASSES, on_change="rerun") as box:
            if box.open:
                table.show(rows)
