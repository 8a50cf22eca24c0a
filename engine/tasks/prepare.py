"""Data made ready for a model, in a process of its own: its bytes are a stranger's."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from engine.data.builtin import source_of
from engine.data.opening import open_file
from engine.data.prepare import prepare
from engine.jobs.protocol import Context
from engine.records import dump, parse
from engine.types import Artifact

FOLDER = "data"


def run(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Write the samples into ``out/data``; gives ``{"path": …, "data": what was prepared}``."""
    model = parse(Artifact, request["artifact"])
    context.progress("Looking at the bytes", 0.0)
    with ExitStack() as held:
        if request["origin"] == "builtin":
            source = source_of(request["source"], model)
        else:
            path, name = Path(request["source"]), request["name"]
            source = open_file(path, name, model, request["recipe"], held)
        made = prepare(source, model.signature, context.out / FOLDER, context.progress)
    return {"path": FOLDER, "data": dump(made)}
