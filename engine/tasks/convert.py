"""One step of a job: an edge of a route, or a pass: a source artifact into a target file."""

from __future__ import annotations

import gc
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine import changes, registry
from engine.data.drawn import DrawnSamples
from engine.data.model import Dataset, Samples
from engine.data.stored import samples_of
from engine.data.watched import WatchedSamples
from engine.files import disk_errors
from engine.jobs.protocol import Context
from engine.options import read
from engine.records import dump, parse
from engine.types import Artifact, Change, Scalar, Step

RANDOM = (
    "It read random values, since no data was given: ranges are guessed, and figures from this "
    "artifact mean little."
)


def _whole(path: Path, beside: tuple[str, ...]) -> Path:
    """The file; or, where others lie beside it (external data), a folder that holds them all."""
    made = sorted(item for item in path.parent.iterdir() if item.name not in beside)
    if made == [path]:
        return path
    home = path.parent / path.stem
    home.mkdir()
    for item in made:
        item.rename(home / item.name)
    return home


@contextmanager
def _without_collector() -> Iterator[None]:
    """Exporters build millions of objects and few cycles: collecting takes a sixth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def run(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Convert, or do a pass.

    Gives ``{"path": relative to out, "signature", "step", "variant"}``.
    """
    artifact = parse(Artifact, request["artifact"])
    made = registry.format_named(request["target"])
    folder = context.out / made.name
    shutil.rmtree(folder, ignore_errors=True)  # what a run that died left behind
    folder.mkdir(parents=True)
    path = folder / f"model{made.suffix}"
    started = time.perf_counter()
    with _without_collector():
        conversion = _work(request, artifact, made)(path, context)
    step = replace(conversion.step, seconds=round(time.perf_counter() - started, 3))
    whole = _whole(path, conversion.beside)
    if conversion.report:
        with disk_errors():
            (folder / registry.REPORT).write_text(conversion.report, encoding="utf-8")
    context.progress(f"{made.label} written", 1.0)
    return {
        "path": whole.relative_to(context.out).as_posix(),
        "signature": dump(conversion.signature),
        "step": dump(step),
        "variant": conversion.variant,
    }


def _work(
    request: Mapping[str, Any], artifact: Artifact, made: registry.Format
) -> Callable[[Path, Context], registry.Conversion]:
    """What is to be done: one edge of a route, or one pass."""

    def convert(path: Path, context: Context) -> registry.Conversion:
        found = registry.format_named(artifact.format)
        options = read(made.options, request["options"], made.label)
        context.progress(f"Converting {found.label} to {made.label}", 0.05)
        edge = registry.edge(artifact.format, made.name)
        if not registry.takes_given(artifact.format, made.name):
            return edge(artifact, path, options)
        samples = _samples(request.get("data"), artifact)
        return edge(artifact, path, options, changes.Given(samples, context.progress))

    def change(path: Path, context: Context) -> registry.Conversion:
        asked = parse(Change, request["change"])
        known = changes.pass_named(asked.name)
        options = read(known.options, asked.options, known.label)
        context.progress(f"{known.label} on {made.label}", 0.05)
        data = request.get("data")
        samples = WatchedSamples(_samples(data, artifact))
        given = changes.Given(samples, context.progress, request.get("goal", ""))
        done = changes.handler(known.name, made.name)(artifact, path, options, given)
        return replace(done, step=_with_data(done.step, samples, data))

    return change if request["change"] else convert


def _samples(data: Any, artifact: Artifact) -> Samples:
    """What is read: the part of the data that never judges, else random values."""
    if data is None:
        return DrawnSamples(artifact.signature)
    return samples_of(parse(Dataset, data), "calibration", artifact.signature)


def _with_data(step: Step, samples: WatchedSamples, data: Any) -> Step:
    """What a pass has read stands in its step: name, how many, and the sha256 that proves it."""
    if not samples.read:
        return step
    read: dict[str, Scalar] = {"data": samples.name, "samples read": samples.read}
    if data is not None and samples.name == data["name"]:
        read["data sha256"] = data["sha256"]
    notes = (RANDOM,) if samples.origin == "random" else ()
    return replace(step, options={**step.options, **read}, notes=(*step.notes, *notes))
