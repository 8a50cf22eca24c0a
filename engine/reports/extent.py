"""How much of everything a report from elsewhere may hold: more would be drawn for hours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from engine.bench.model import Measurement
from engine.bench.studies import studies
from engine.records import dump
from engine.reports.model import Report

_VARIANTS, _OF_ONE, _WINDOWS, _IN_ALL = 64, 100, 12, 4000
"""What is compared pair by pair; processes of one; windows of one run; processes and studies."""
_ARTIFACTS, _ANSWERS, _COUNTERS, _REASONS = 64, 1_000_000, 16, 500
_NAME, _TEXT = 300, 100_000
"""Characters of what is repeated in every row, and of any text at all."""


def beyond(report: Report) -> str | None:
    """What there is too much of, as the middle of a sentence; None where all can be drawn."""
    return next(_of_report(report), None)


def _of_report(report: Report) -> Iterator[str]:
    if len(report.artifacts) > _ARTIFACTS:
        yield "it has too many artifacts"
    if any(len(found.answers) > _ANSWERS for made in report.artifacts for found in made.quality):
        yield "a model answered too often"
    names = [made.label for made in report.artifacts]
    if report.measurement is not None:
        names += [variant.label for variant in report.measurement.plan.variants]
        yield from _of_measurement(report.measurement)
    if max(map(len, names), default=0) > _NAME:
        yield "a name in it is too long"
    if any(len(text) > _TEXT for text in _texts(dump(report))):
        yield "a text in it is too long"


def _of_measurement(measurement: Measurement) -> Iterator[str]:
    if len(measurement.plan.variants) > _VARIANTS:
        yield "it has too many variants"
    kinds = {kind: getattr(measurement, kind) for kind in ("blocks", "memory", *studies())}
    counts = [Counter(one.variant for one in found) for found in kinds.values()]
    most = max((max(count.values()) for count in counts if count), default=0)
    points = [len(sweep.points) for sweep in measurement.batches]
    windows = [len(run.windows) for run in measurement.clients]
    if max((most, len(measurement.gate), *points)) > _OF_ONE or max(windows, default=0) > _WINDOWS:
        yield "a variant was measured too often"
    if sum(len(found) for found in kinds.values()) + sum(points) + sum(windows) > _IN_ALL:
        yield "too much was measured"
    if any(len(load.counters) > _COUNTERS for load in measurement.energy):
        yield "it has too many counters of energy"
    reasons = (measurement.failures, measurement.memory_failures, measurement.study_failures)
    if sum(map(len, reasons)) > _REASONS:
        yield "too much of it failed"


def _texts(value: Any) -> Iterator[str]:
    """Every text in JSON values, however deep; names of fields, too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
