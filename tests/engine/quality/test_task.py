"""The whole way: data made ready, a format made, verified and judged on real labels."""

from __future__ import annotations

from engine import pipeline, store
from engine.jobs.steps import DirectSteps
from engine.quality.figures import accuracy, sentence
from engine.types import Target
from tests.conftest import Library, ignore


def test_an_artifact_is_judged_on_what_nothing_was_calibrated_on(library: Library) -> None:
    request = pipeline.DataRequest(library.model_id, "builtin", "digits")
    data_id = pipeline.prepare_data(DirectSteps("q-data", ignore), request)["data_id"]
    made = pipeline.convert(
        DirectSteps("q-convert", ignore),
        pipeline.ConvertRequest(library.model_id, (Target("onnx"),), data_id=data_id),
    )
    assert not made["failures"]
    assert made["notes"] == []
    artifact, verification = store.artifacts.load(made["artifacts"][0])
    assert verification is not None
    assert [case.batch for case in verification.cases if case.inputs == "real"] == [1, 2, 3, 7]
    judged_on = store.artifacts.quality_of(artifact.id)
    (found,) = [one for one in judged_on if one.data_id == data_id]
    assert (found.data_id, found.samples, found.of) == (data_id, 360, 360)
    judged = accuracy(found)
    assert judged is not None
    known = store.models.load(library.model_id).facts["Held-out accuracy"]
    assert known.startswith(f"{judged.before.value * 100:.1f} %")
    assert judged.difference == 0
    assert "McNemar p = 1; 360 images of digits" in sentence(found)
