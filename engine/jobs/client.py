"""Jobs as web and shell see them: submitted once, looked at, cancelled. Never runs one."""

from __future__ import annotations

from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from engine import access, changes, registry, store
from engine.errors import NotFound
from engine.files import files_of
from engine.jobs import locks, waiting
from engine.jobs.protocol import JobState, JobView
from engine.jobs.steps import latest_log
from engine.pipeline import (
    ConvertRequest,
    DataRequest,
    ExcludeRequest,
    ExplainRequest,
    ImportRequest,
    MeasureRequest,
    SensitivityRequest,
    TryRequest,
    artifact_to_try,
)
from engine.pipeline.excluding import asked
from engine.pipeline.explaining import data_of, layered, of_model
from engine.pipeline.preparing import located
from engine.records import dump, fingerprint
from engine.sources import locate
from engine.store.jobs import JobRow

_NO_HOST = (
    "Waiting: the process that runs jobs is not running. Start it with: python -m engine host"
)

_ANEW = ("measure", "try", "exclude", "explain", "layers")
"""Kinds of jobs of which a repeat is a new one, though the first is done."""

_ELSEWHERE = (
    "Waiting for a host that has what this needs; one that opens this library takes it up itself."
)


def submit_import(request: ImportRequest) -> str:
    """Queue the recognition of a model; gives the job's id. Raises when there is nothing there."""
    opened, name, _ = locate(request.origin, request.source, request.config_upload)
    # What lies at a path may change under the same name.
    state = _state_of(Path(opened)) if request.origin == "path" else ()
    return submit("import", f"Bring in {name}", request, state)


def submit_data(request: DataRequest) -> str:
    """Queue data to be made ready for a model; gives the job's id. Raises when it is not there."""
    store.models.load(request.model_id)
    opened, name = located(request)
    state = _state_of(Path(opened)) if request.origin == "path" else ()
    return submit("data", f"Bring in the data {name}", request, state)


def submit_convert(request: ConvertRequest) -> str:
    """Queue conversions with their verification; gives the job's id."""
    labels = map(changes.label_of, request.targets)
    name = store.models.load(request.model_id).name
    if request.data_id:
        store.data.load_for(request.model_id, request.data_id)
    return submit("convert", f"Convert {name} to {', '.join(labels)}", request)


def submit_explain(request: ExplainRequest) -> str:
    """Queue a look into why an artifact is as fast as it is; gives the job's id."""
    artifact, model = of_model(request.artifact_id, request.model_id)
    return submit("explain", f"Look into {registry.named(artifact)} of {model.name}", request)


def submit_sensitivity(request: SensitivityRequest) -> str:
    """Queue a look at the layers of a quantized artifact. Raises BadRequest for any other."""
    artifact, _ = layered(request)
    data_of(request)
    return submit("layers", f"Compare the layers of {registry.named(artifact)}", request)


def submit_exclude(request: ExcludeRequest) -> str:
    """Queue a search for the layers to leave in float. Raises BadRequest for what has none."""
    artifact, *_ = asked(request)
    return submit(
        "exclude", f"Search layers to leave in float of {registry.named(artifact)}", request
    )


def submit_measure(request: MeasureRequest) -> str:
    """Queue a measurement; gives the job's id. Raises NotFound for artifacts there are not."""
    for artifact_id in request.artifact_ids:
        store.artifacts.load(artifact_id)
    return submit("measure", f"Measure {store.models.load(request.model_id).name}", request)


def submit_try(request: TryRequest) -> str:
    """Queue a prompt; gives the job's id. Raises BadRequest for what is refused before it runs."""
    artifact = artifact_to_try(request)
    label = registry.format_named(artifact.format).named(artifact)
    name = store.models.load(request.model_id).name
    return submit("try", f"Try {label} of {name}", request)


def submit(kind: str, title: str, request: Any, *also: Any) -> str:
    """Queue a job and give its id. The same again is the same job, while that one still stands.

    A job that failed, was cancelled or lost what it made gets a new attempt; a measurement, a
    trial or a look that is done does too, since a repeat is a new one. ``also`` tells equal
    requests apart. Raises NotAllowed for whoever may not run anything.
    """
    access.need(access.Role.RUNNER)
    document = dump(request)
    key = fingerprint(kind, document, tool_versions(), *also, *access.own())
    for number in count(1):
        job_id = key if number == 1 else f"{key}-{number}"
        if store.jobs.add(job_id, kind, title, document) or _stands(store.jobs.load(job_id)):
            return job_id
    raise AssertionError("count() does not end")


def job(job_id: str) -> JobView:
    """A job as it is now, with the tail of its log. Raises NotFound."""
    return _view(store.jobs.load(job_id), with_log=True)


def jobs(limit: int = 50) -> tuple[JobView, ...]:
    """The newest jobs first, without their logs."""
    return tuple(_view(row, with_log=False) for row in store.jobs.recent(limit))


def cancel(job_id: str) -> None:
    """Stop a job: at once when it is queued, within about a second when it runs."""
    store.jobs.load(job_id)
    store.jobs.request_cancel(job_id)


def host_alive() -> bool:
    """Whether a host runs on this data folder."""
    return locks.held(locks.host_lock())


@cache
def tool_versions() -> dict[str, str]:
    """The versions that decide what a job makes: another version, another job."""
    needs = (need for form in registry.formats().values() for need in form.requires)
    return {need.distribution: need.version or "" for need in needs}


def _state_of(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, size and time of change of every file of a model."""
    facts = ((item, item.stat()) for item in files_of(path))
    return tuple((str(item), fact.st_size, fact.st_mtime_ns) for item, fact in facts)


def _stands(row: JobRow) -> bool:
    """Whether submitting again should lead to this very job."""
    if row.state is not JobState.DONE:
        return not row.state.ended and not row.cancel_requested
    if row.kind in _ANEW or row.result.get("failures"):
        return False
    try:
        if model_id := row.result.get("model_id"):
            store.models.load(model_id)
        if data_id := row.result.get("data_id"):
            store.data.load(data_id)
    except NotFound:
        return False
    return store.artifacts.exist(tuple(row.result.get("artifacts", ())))


def _view(row: JobRow, *, with_log: bool) -> JobView:
    message = row.message
    if not row.state.ended and not host_alive():
        message = _NO_HOST
    elif row.state is JobState.QUEUED and (lacking := waiting.lacks(row.request)):
        message = f"{_ELSEWHERE} Here: {lacking}."
    elif row.state is JobState.QUEUED:
        message = waiting.behind(row) or message
    return JobView(
        id=row.id,
        kind=row.kind,
        title=row.title,
        state=row.state,
        reason=row.reason,
        message=message,
        hint=row.hint,
        steps=row.steps,
        result=row.result,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        log_tail=latest_log(row.id) if with_log else "",
        owner=row.owner,
    )
