"""Reading reports, whatever version of Assay wrote them: one named step per schema version."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from engine.bench.model import Block, Measurement
from engine.bench.studies import studies
from engine.errors import BadRequest
from engine.quality.model import Quality
from engine.records import dump, dumps, parse
from engine.reports import extent
from engine.reports.model import SCHEMA_VERSION, Report

MAX_BYTES = 64 * 1024**2
"""The largest report that is read: a rigorous measurement of ten variants is far below it."""

_LARGEST = 2**62
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Signs that steer a terminal, turn text round, or are no text: no report of ours holds one."""
_ID = re.compile("[0-9A-Za-z_-]{1,64}")
_NOT_A_REPORT = "This is not an Assay report"
_HINT = "Import the JSON file that a report's Export button gave."

Migration = Callable[[dict[str, Any]], dict[str, Any]]


def _artifacts_have_variants(document: dict[str, Any]) -> dict[str, Any]:
    """1 to 2: before formats had options, there was one artifact of each."""
    artifacts = [{**made, "variant": "", "options": {}} for made in document["artifacts"]]
    return {**document, "artifacts": artifacts}


def _no_language_model_had_read_a_text(document: dict[str, Any]) -> dict[str, Any]:
    """2 to 3: what is new is absent, which the defaults of the records say."""
    return document


def _artifacts_went_through_no_pass(document: dict[str, Any]) -> dict[str, Any]:
    """3 to 4: before there were passes, nothing was quantized or pruned but by its format."""
    artifacts = [{**made, "passes": []} for made in document["artifacts"]]
    return {**document, "artifacts": artifacts}


def _nothing_was_judged_on_samples(document: dict[str, Any]) -> dict[str, Any]:
    """4 to 5: before data could be brought, no artifact had answered on any."""
    artifacts = [{**made, "quality": []} for made in document["artifacts"]]
    return {**document, "artifacts": artifacts}


def _nobody_looked_before_timing(document: dict[str, Any]) -> dict[str, Any]:
    """5 to 6: no gate, no floor and no checkpoints, which the defaults of the records say."""
    return document


def _who_was_not_weighed_was_not_timed(document: dict[str, Any]) -> dict[str, Any]:
    """6 to 7: a failed memory pass ended its variant, and is among the failures already."""
    return document


def _nothing_was_studied(document: dict[str, Any]) -> dict[str, Any]:
    """7 to 8: no study found anything, which the defaults of the records say."""
    return document


def _nothing_ran_by_a_second_clock(document: dict[str, Any]) -> dict[str, Any]:
    """8 to 9: no block was asked of its GPU, which the defaults of the records say."""
    return document


MIGRATIONS: dict[int, Migration] = {
    1: _artifacts_have_variants,
    2: _no_language_model_had_read_a_text,
    3: _artifacts_went_through_no_pass,
    4: _nothing_was_judged_on_samples,
    5: _nobody_looked_before_timing,
    6: _who_was_not_weighed_was_not_timed,
    7: _nothing_was_studied,
    8: _nothing_ran_by_a_second_clock,
}
"""From version *n* to *n* + 1. Each is a named function here."""


def loads(text: str) -> Report:
    """A report from the text of its JSON export. Raises BadRequest saying what is wrong."""
    size = len(text.encode())
    if size > MAX_BYTES:
        raise BadRequest(
            f"This file has {size / 1024**2:.0f} MiB; a report has at most "
            f"{MAX_BYTES // 1024**2} MiB.",
            hint=_HINT,
        )
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise BadRequest(f"{_NOT_A_REPORT}: it is nested too deeply.", hint=_HINT) from error
    except ValueError as error:
        raise BadRequest(f"{_NOT_A_REPORT}: {error}.", hint=_HINT) from error
    report = load(_readable(document))
    if (too_much := extent.beyond(report)) is not None:
        raise BadRequest(f"{_NOT_A_REPORT} that can be drawn: {too_much}.", hint=_HINT)
    try:
        dumps(report)  # 1e999 is read as infinity; what the store holds was checked on its way in
    except ValueError as error:
        raise BadRequest(
            f"{_NOT_A_REPORT}: it holds a number that is not finite.", hint=_HINT
        ) from error
    return report


def load(document: Any) -> Report:
    """A report from its JSON values, brought up to the present schema and checked."""
    if not isinstance(document, dict) or "schema_version" not in document:
        raise BadRequest(f"{_NOT_A_REPORT}: it has no schema_version.", hint=_HINT)
    version = document["schema_version"]
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise BadRequest(f"{_NOT_A_REPORT}: schema_version is {version!r:.40}.", hint=_HINT)
    if version > SCHEMA_VERSION:
        raise BadRequest(
            f"This report has schema version {version}; this Assay reads up to {SCHEMA_VERSION}.",
            hint="Open it with the newer Assay that wrote it, or update this one.",
        )
    for step in range(version, SCHEMA_VERSION):
        document = {**_migrated(step, document), "schema_version": step + 1}
    report = parse(Report, document, hint=_HINT)
    _check_consistent(report)
    return report


def _readable(value: Any) -> Any:
    """The same values, their texts without signs that nobody sees."""
    if isinstance(value, str):
        return _UNSEEN.sub("", value)
    if isinstance(value, list):
        return [_readable(item) for item in value]
    if isinstance(value, dict):
        return {_UNSEEN.sub("", key): _readable(item) for key, item in value.items()}
    return value


def _migrated(step: int, document: dict[str, Any]) -> dict[str, Any]:
    try:
        return MIGRATIONS[step](document)
    except (KeyError, TypeError) as error:
        raise BadRequest(f"{_NOT_A_REPORT} of schema version {step}.", hint=_HINT) from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _check_consistent(report: Report) -> None:
    """Everything figures rely on: names that lead somewhere, durations that are durations."""
    made = {artifact.id for artifact in report.artifacts}
    for found in (found for artifact in report.artifacts for found in artifact.quality):
        _check_answers(found)
    _require(_ID.fullmatch(report.id) is not None, "its id is none")
    measurement = report.measurement
    if measurement is None:
        return
    variants = {variant.key for variant in measurement.plan.variants}
    for artifact in report.artifacts:
        _require(0 <= artifact.size_bytes < _LARGEST, "a size is impossible")
    for variant in measurement.plan.variants:
        _require(variant.artifact_id in made, f"variant {variant.key!r:.60} has no artifact")
        _require(1 <= variant.batch < _LARGEST, "a batch size is impossible")
    for block in measurement.blocks:
        _require(block.variant in variants, f"a block names {block.variant!r:.60}, not planned")
        for duration in (*block.samples_ns, *block.canary_ns):
            _require(0 < duration < _LARGEST, "a duration is impossible")
        _require(1 <= block.calls_per_sample < _LARGEST, "a number of calls is impossible")
        _require(len(block.samples_ns) > 0, "a block has no samples")
        for phase in (block.import_s, block.load_s, block.first_s):
            _require(0 <= phase < _LARGEST, "a duration is impossible")
        _require(0 <= (block.cpu_mhz or 0) < _LARGEST, "a clock is impossible")
        _check_gpu(block)
    _check_protocol(measurement, variants)
    for weighed in measurement.memory:
        _require(weighed.variant in variants, f"memory of {weighed.variant!r:.60}, not planned")
        for number in _numbers(dump(weighed)):
            _require(0 <= number < _LARGEST, "an amount of memory is impossible")
    _check_studies(measurement, variants)


def _check_gpu(block: Block) -> None:
    """The second clock ran forwards, and memory is an amount."""
    if block.gpu is not None:
        _require(len(block.gpu.compute_ns) > 0, "a GPU ran nothing")
        _require(all(0 < ns < _LARGEST for ns in block.gpu.compute_ns), "a duration is impossible")
        for number in _numbers(dump(block.gpu)):
            _require(0 <= number < _LARGEST, "a figure of a GPU is impossible")


def _check_studies(measurement: Measurement, variants: set[str]) -> None:
    """Every observation is of a planned variant, and no number in it is below nothing."""
    for name in studies():
        for found in getattr(measurement, name):
            _require(found.variant in variants, f"a study of {found.variant!r:.60}, not planned")
            for number in _numbers(dump(found)):
                _require(0 <= number < _LARGEST, f"a figure of the study {name} is impossible")
    for sweep in measurement.batches:
        taken = [point.samples_ns for point in sweep.points]
        _require(bool(taken) and all(taken), "a sweep over batch sizes has no samples")
        _require(all(ns > 0 for one in taken for ns in one), "a duration is impossible")
    for window in (window for run in measurement.clients for window in run.windows):
        same = len(window.due_ns) == len(window.latency_ns)
        _require(same, "requests and their answers are not as many")
        _require(all(ns > 0 for ns in window.latency_ns), "a duration is impossible")
    for written in measurement.tokens:
        alike = len(written.first_ns) == len(written.next_ns) > 0
        _require(alike and all(written.next_ns), "a text without tokens was timed")
    _require(all(one.tries for one in measurement.largest), "a search for a batch tried none")
    for load in measurement.energy:
        _require(load.inferences > 0 and bool(load.load), "energy of no inference was counted")


def _numbers(value: Any) -> Iterator[float]:
    """Every number in JSON values, however deep."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _numbers(inner)


def _check_protocol(measurement: Measurement, variants: set[str]) -> None:
    """What the gate saw, the noise floor and the controls can be read as such."""
    _require(0 <= measurement.plan.preset.delta < 1, "a smallest difference is impossible")
    for reading in measurement.gate:
        _require(len(reading.canary_ns) > 0, "a look at the machine has no readings")
        _require(all(0 < ns < _LARGEST for ns in reading.canary_ns), "a duration is impossible")
        _require(reading.cpus > 0, "a number of CPUs is impossible")
    if measurement.floor is not None:
        _require(0 <= measurement.floor.share < 1, "a noise floor is impossible")
    for variant in measurement.plan.variants:
        copied = variant.control_of
        _require(copied is None or copied in variants, "a control is of no variant")


def _check_answers(found: Quality) -> None:
    """Answers can be held against each other, and there is something to say of them."""
    count = len(found.answers)
    _require(0 < found.samples <= found.of < _LARGEST, "a number of samples is impossible")
    _require(len(found.original) == count, "two models answered differently many samples")
    _require(found.labels is None or len(found.labels) == count, "labels do not fit the answers")
    _require(bool(count or found.language or found.error), "a judgement has no answers")


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise BadRequest(f"{_NOT_A_REPORT} that fits together: {problem}.", hint=_HINT)
