"""Which passes make sense for a model on its way to a format, and why the others do not."""

from __future__ import annotations

from functools import cache
from typing import Any

from engine import changes, registry
from engine.errors import EngineError
from engine.knowledge.reference import ReferenceRow, ReferenceTable, reference_tables
from engine.knowledge.source import read
from engine.types import Artifact, Change, Reach


def pass_reach(artifact: Artifact, format: str) -> dict[str, Reach]:
    """For every pass by name: whether it can be done on the way to ``format``; how, or why not."""
    return {name: _one(artifact, format, name) for name in changes.passes()}


def pass_promise(name: str) -> str:
    """What the founding document's tables print for a pass, beside the same without it."""
    precision = changes.pass_named(name).printed_as
    said = [
        f"{table.model} as {row.label}: {_figures(table, row)}"
        for table in reference_tables()
        for row in table.rows
        if precision and row.precision == precision
    ]
    if not said:
        return "The founding document gives no figure for it."
    return f"The founding document promises {'; '.join(said)}."


def _figures(table: ReferenceTable, row: ReferenceRow) -> str:
    plain = table.rows[0]
    said = []
    for column in table.columns:
        value, before = row.values[column.id], plain.values[column.id]
        if value is not None and before is not None:
            said.append(f"{column.label} {value:g} instead of {before:g} {column.unit}")
    return f"{', '.join(said)} ({plain.label})"


def _one(artifact: Artifact, format: str, name: str) -> Reach:
    try:
        stops = _stops(artifact, format)
        done = changes.placed(stops, (Change(name),))
    except EngineError as error:
        return Reach(format, False, _known_reason(name, format) or error.message)
    where = next(stop for stop, there in zip(stops, done, strict=True) if there)
    if where == artifact.format and (why := changes.refusal(name, artifact)):
        return Reach(format, False, why)
    at = (
        "" if where == format else f" Done on {registry.format_named(where).label}, then converted."
    )
    beware = changes.caution(name, where, format)
    said = f"{changes.pass_named(name).sentence}{at} {beware}"
    return Reach(format, True, said.strip())


def _stops(artifact: Artifact, format: str) -> tuple[str, ...]:
    if format == artifact.format:
        return (format,)
    return (artifact.format, *(end for _, end in registry.route(artifact.format, format, artifact)))


def _known_reason(name: str, format: str) -> str:
    kind = changes.pass_named(name).kind
    for reason in _reasons():
        meant = reason["pass"] in (None, name) and reason.get("kind", kind) == kind
        if meant and reason["format"] in (None, format):
            return str(reason["why"])
    return ""


@cache
def _reasons() -> list[dict[str, Any]]:
    return list(read("no_pass.yaml")["reasons"])
