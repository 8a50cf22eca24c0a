"""Which passes make sense for a model on its way to a format, and why the others do not."""

from __future__ import annotations

from functools import cache
from typing import Any

from engine import changes, registry
from engine.errors import EngineError
from engine.knowledge.source import read
from engine.types import Artifact, Change, Reach


def pass_reach(artifact: Artifact, format: str) -> dict[str, Reach]:
    """For every pass by name: whether it can be done on the way to ``format``; how, or why not."""
    return {name: _one(artifact, format, name) for name in changes.passes()}


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
    for reason in _reasons():
        if reason["pass"] in (None, name) and reason["format"] in (None, format):
            return str(reason["why"])
    return ""


@cache
def _reasons() -> list[dict[str, Any]]:
    return list(read("no_pass.yaml")["reasons"])
