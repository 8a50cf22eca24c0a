"""When submitting again is the same job, and when it is a new one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine import nvidia, registry, store
from engine.errors import BadRequest, NotFound, Reason
from engine.jobs import client, waiting
from engine.jobs.protocol import JobState
from engine.pipeline import ConvertRequest, ImportRequest, MeasureRequest
from engine.settings import settings
from engine.types import Target
from tests.engine.store.conftest import a_model, an_artifact

SAMPLE = ImportRequest("sample", "digits")


@pytest.fixture
def model_id(workspace: Path) -> str:
    store.models.save(a_model("m", workspace))
    return "m"


def test_titles_are_for_people(model_id: str) -> None:
    assert client.job(client.submit_import(SAMPLE)).title == "Bring in Digits"
    convert = client.submit_convert(
        ConvertRequest(model_id, (Target("onnx"), Target("torchscript")))
    )
    assert client.job(convert).title == "Convert Model m to ONNX, TorchScript"
    measure = client.submit_measure(MeasureRequest(model_id, ()))
    assert client.job(measure).title == "Measure Model m"


def test_what_is_not_there_is_refused_before_it_is_queued(workspace: Path) -> None:
    with pytest.raises(NotFound):
        client.submit_convert(ConvertRequest("nothing", (Target("onnx"),)))
    with pytest.raises(NotFound):
        client.submit_import(ImportRequest("sample", "nothing"))
    with pytest.raises(BadRequest):
        client.submit_import(ImportRequest("path", "model.onnx"))
    assert client.jobs() == ()


def test_an_import_stands_until_its_model_is_deleted(model_id: str) -> None:
    first = client.submit_import(SAMPLE)
    assert client.submit_import(SAMPLE) == first
    store.jobs.start(first)
    store.jobs.finish(first, JobState.DONE, result={"model_id": model_id})
    assert client.submit_import(SAMPLE) == first
    store.models.delete(model_id)
    second = client.submit_import(SAMPLE)
    assert second == f"{first}-2"
    assert client.submit_import(SAMPLE) == second


def test_a_conversion_stands_when_everything_was_made_and_is_there(
    model_id: str, workspace: Path
) -> None:
    request = ConvertRequest(model_id, (Target("onnx"),))
    first = client.submit_convert(request)
    store.artifacts.save(an_artifact("a", workspace / "artifacts"), model_id)
    store.jobs.start(first)
    store.jobs.finish(first, JobState.DONE, result={"artifacts": ["a"], "failures": {}})
    assert client.submit_convert(request) == first
    other = ConvertRequest(model_id, (Target("torchscript"),))
    failed = client.submit_convert(other)
    store.jobs.start(failed)
    store.jobs.finish(
        failed, JobState.DONE, result={"artifacts": [], "failures": {"torchscript": "No."}}
    )
    assert client.submit_convert(other) == f"{failed}-2"


def test_a_done_measurement_is_measured_anew(model_id: str) -> None:
    request = MeasureRequest(model_id, ())
    first = client.submit_measure(request)
    assert client.submit_measure(request) == first
    store.jobs.start(first)
    store.jobs.finish(first, JobState.DONE, result={"report_id": "r"})
    assert client.submit_measure(request) == f"{first}-2"


def test_a_file_that_changed_under_its_name_is_another_job(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models-folder"
    models.mkdir()
    monkeypatch.setenv("ASSAY_MODELS", str(models))
    settings.cache_clear()
    (models / "m.onnx").write_bytes(b"one")
    request = ImportRequest("path", "m.onnx")
    first = client.submit_import(request)
    assert client.submit_import(request) == first
    (models / "m.onnx").write_bytes(b"another")
    assert client.submit_import(request) != first


def test_the_first_end_of_a_job_stands(workspace: Path) -> None:
    job_id = client.submit_import(SAMPLE)
    store.jobs.finish(job_id, JobState.FAILED, reason=Reason.TIMEOUT, message="Too long.")
    store.jobs.finish(job_id, JobState.DONE, result={"model_id": "m"})
    client.cancel(job_id)
    view = client.job(job_id)
    assert (view.state, view.reason, view.message) == (
        JobState.FAILED,
        Reason.TIMEOUT,
        "Too long.",
    )


def test_an_unknown_job_is_said_to_be_unknown(workspace: Path) -> None:
    for ask in (client.job, client.cancel):
        with pytest.raises(NotFound) as caught:
            ask("nothing")
        assert caught.value.hint


def test_a_job_for_a_gpu_waits_for_a_host_that_has_one(
    model_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvidia, "DRIVER", Path("/nowhere"))
    monkeypatch.setattr(client, "host_alive", lambda: True)
    here = ConvertRequest(model_id, (Target("onnx"), Target("tensorrt")))
    assert not client.job(client.submit_convert(here)).message, "it fails instead, with the reason"
    view = client.job(client.submit_convert(replace(here, wait=True)))
    assert view.state is JobState.QUEUED
    assert view.message.startswith("Waiting for a host") and "no NVIDIA GPU" in view.message
    monkeypatch.setattr(registry.Format, "elsewhere", False)
    assert waiting.lacks(store.jobs.load(view.id).request) is None, "such a host takes it up"
