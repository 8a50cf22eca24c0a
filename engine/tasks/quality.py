"""Let a model answer on one part of the data, and hold it to the original."""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from engine import registry
from engine.data.model import Dataset
from engine.data.stored import StoredSamples, samples_of
from engine.errors import BadRequest, EngineError
from engine.jobs.protocol import Context
from engine.quality.answers import answers
from engine.quality.model import Quality
from engine.records import dump, parse
from engine.types import Artifact, Runner, RunnerOptions
from engine.verify import cases, language

ENOUGH_S = 120.0
"""After that long the original begins no further sample; the others answer as many as it did."""
NO_CLASSES = (
    "The model's first output holds no scores of classes, so there is no answer to count; the "
    "numbers alone judge it."
)
_NOUNS = {"arrays": "samples", "images": "images", "table": "rows", "text": "pieces"}


def run(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """On the ``part`` that nothing was calibrated on, where no other is named.

    Without ``original``: ``{"answers", "places", "samples"}`` of the original itself.

    With what that gave as ``original`` (and the folder it wrote into as ``reference``):
    ``{"quality": …}`` of a candidate.
    """
    artifact, data = parse(Artifact, request["artifact"]), parse(Dataset, request["data"])
    samples = samples_of(data, request.get("part", "evaluation"), artifact.signature)
    with registry.open_runner(artifact, RunnerOptions(cases.THREADS)) as runner:
        if request["original"] is None:
            return _original(artifact, data, samples, runner, context)
        made = _candidate(artifact, data, samples, runner, request, context)
    context.progress("Judged", 1.0)
    return {"quality": dump(made)}


def _original(
    artifact: Artifact, data: Dataset, samples: StoredSamples, runner: Runner, context: Context
) -> dict[str, Any]:
    if language.is_language_model(artifact.signature):
        name = artifact.signature.inputs[0].name
        windows = (feed[name].astype(np.int64) for feed in samples.feeds())
        first = next(windows)
        most = language.most_windows(artifact.signature, first.shape[1])
        some = islice(chain([first], windows), most)
        read = language.save(context.out, some, runner.infer, artifact.signature)
        return {"answers": [], "places": 0, "samples": read}
    found = _answers(samples, runner, context, samples.count, ENOUGH_S)
    return {
        "answers": [int(answer) for row in found for answer in row],
        "places": len(found[0]),
        "samples": len(found),
    }


def _candidate(
    artifact: Artifact,
    data: Dataset,
    samples: StoredSamples,
    runner: Runner,
    request: Mapping[str, Any],
    context: Context,
) -> Quality:
    """A refusal of the candidate is a finding, not an error of ours."""
    original = request["original"]
    common: dict[str, Any] = {
        "artifact_id": artifact.id,
        "data_id": data.id,
        "data_name": data.name,
        "data_sha256": data.sha256,
        "noun": _NOUNS[data.kind],
        "samples": original["samples"],
        "of": samples.count,
    }
    if not original["answers"]:
        folder = Path(request["reference"])
        read = language.compare(folder, artifact.signature, runner.infer, text=data.sha256)
        return Quality(**common, language=read)
    try:
        rows = _answers(samples, runner, context, original["samples"])
    except EngineError as error:
        return Quality(**common, error=error.message)
    found = tuple(int(answer) for row in rows for answer in row)
    if len(found) != len(original["answers"]):
        counts = f"it gives {len(found)} answers, the original {len(original['answers'])}"
        return Quality(**common, error=counts)
    labels = samples.labels() if original["places"] == 1 else None
    return Quality(
        **common,
        labels=None if labels is None else tuple(map(int, labels[: original["samples"]])),
        original=tuple(original["answers"]),
        answers=found,
        places=original["places"],
    )


def _answers(
    samples: StoredSamples, runner: Runner, context: Context, most: int, enough_s: float = 1e9
) -> list[np.ndarray]:
    """The answers on the first samples, each run alone as it would be served."""
    found: list[np.ndarray] = []
    started = time.monotonic()
    for index, feed in enumerate(samples.feeds()):
        if index == most or (found and time.monotonic() - started > enough_s):
            break
        if index % max(1, most // 50) == 0:
            context.progress(f"Answering sample {index + 1:,} of {most:,}", index / most)
        answer = answers(runner.infer(feed))
        if answer is None or not len(answer):
            raise BadRequest(NO_CLASSES)
        found.append(answer)
    return found
