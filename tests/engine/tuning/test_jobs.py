"""The three looks at an artifact as jobs: done by the real workers, kept with the artifact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from engine import pipeline, store
from engine.errors import BadRequest
from engine.jobs.client import submit_sensitivity
from engine.jobs.steps import DirectSteps
from engine.pipeline.excluding import asked, least_sqnr
from engine.quality.figures import accuracy
from engine.settings import settings
from engine.store.findings import EXPLANATION, SEARCH, SENSITIVITY
from engine.tuning.model import Explanation, Goal, Search, Sensitivity
from engine.types import Artifact, Change, Target
from tests.conftest import ignore


@dataclass(frozen=True)
class Brought:
    model_id: str
    plain: Artifact
    small: Artifact


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brought]:
    """The digits sample as ONNX, and as calibrated ONNX, in a library of this file's own."""
    home = tmp_path_factory.mktemp("tuning")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_DATA", str(home / "data"))
        patch.setenv("ASSAY_LOCK_DIR", str(home))
        patch.delenv("ASSAY_DATABASE", raising=False)
        settings.cache_clear()
        request = pipeline.ImportRequest("sample", "digits")
        model_id = pipeline.import_model(steps("import"), request)["model_id"]
        targets = (Target("onnx"), Target("onnx", passes=(Change("int8-static"),)))
        made = pipeline.convert(steps("convert"), pipeline.ConvertRequest(model_id, targets))
        assert not made["failures"]
        plain, small = (store.artifacts.load(one)[0] for one in made["artifacts"])
        yield Brought(model_id, plain, small)
    settings.cache_clear()


def steps(name: str) -> DirectSteps:
    return DirectSteps(name, ignore)


def test_an_explanation_is_kept_with_its_artifact(brought: Brought) -> None:
    request = pipeline.ExplainRequest(brought.model_id, brought.small.id)
    assert pipeline.explain(steps("explain"), request) == {"artifact_id": brought.small.id}
    found = store.findings.load(brought.small.id, EXPLANATION, Explanation)
    assert found is not None and found.profile is not None and found.baseline is not None
    assert found.baseline.artifact_id == brought.plain.id
    assert min(found.machine.float_gops, found.machine.int8_gops, found.machine.memory_gbs) > 0
    assert len(found.sentences) >= 4


def test_the_layers_are_kept_with_their_artifact(brought: Brought) -> None:
    request = pipeline.SensitivityRequest(brought.model_id, brought.small.id)
    pipeline.look_at_layers(steps("layers"), request)
    found = store.findings.load(brought.small.id, SENSITIVITY, Sensitivity)
    assert found is not None and found.baseline_id == brought.plain.id
    assert {"Conv", "Gemm"} <= {one.operator for one in found.layers}


def test_layers_are_left_in_float_until_the_goal_is_met(brought: Brought) -> None:
    """Each step is an artifact of its own, verified; the goal is what the file does by itself."""
    first = pipeline.exclude(steps("exclude-1"), exclude(brought, Goal("sqnr", 10.0)))
    as_it_is = store.findings.load(brought.small.id, SEARCH, Search)
    assert first["artifacts"] == [] and as_it_is is not None
    assert as_it_is.found == brought.small.id and len(as_it_is.trials) == 1
    reached = as_it_is.trials[0].value
    assert reached is not None

    pipeline.exclude(steps("exclude-2"), exclude(brought, Goal("sqnr", reached + 1)))
    found = store.findings.load(brought.small.id, SEARCH, Search)
    assert found is not None and found.found is not None
    better, verification = store.artifacts.load(found.found)
    assert verification is not None
    trial = next(one for one in found.trials if one.artifact_id == better.id)
    assert trial.met and trial.value is not None and trial.value >= reached + 1
    assert better.passes[-1].options["exclude"] and trial.excluded
    assert all(not one.met for one in found.trials if len(one.excluded) < len(trial.excluded))
    assert "left in float the goal is met on random values of one seed" in found.sentence
    assert "On random values of another seed, which neither calibrated nor" in found.sentence
    assert found.confirmed is not None and found.confirmed.value == least_sqnr(verification)
    assert found.confirmed.value != trial.value  # the same file on other values


def test_what_chooses_does_not_judge(brought: Brought) -> None:
    """Tries are judged on the calibration part; the other part is asked once, at the end."""
    bring = pipeline.DataRequest(brought.model_id, "builtin", "digits")
    data = store.data.load(pipeline.prepare_data(steps("data"), bring)["data_id"])
    request = replace(exclude(brought, Goal("accuracy", 100.0)), data_id=data.id)
    pipeline.exclude(steps("exclude-data"), request)

    layers = store.findings.load(brought.small.id, SENSITIVITY, Sensitivity)
    assert layers is not None and layers.source == f"the calibration part of {data.name}"
    found = store.findings.load(brought.small.id, SEARCH, Search)
    assert found is not None and found.proven and found.confirmed is not None
    assert found.chosen_on == f"the calibration part of {data.name}"
    assert found.confirmed.on == f"{data.evaluation:,} images of {data.name}"
    (kept,) = store.artifacts.quality_of(brought.small.id)
    held = accuracy(kept)
    assert kept.samples == data.evaluation and held is not None
    assert found.confirmed.value == -100 * held.difference
    assert found.confirmed.interval == (-100 * held.interval[1], -100 * held.interval[0])


def test_data_of_another_model_is_refused(brought: Brought) -> None:
    asking = pipeline.DataRequest(brought.model_id, "builtin", "digits")
    made = store.data.load(pipeline.prepare_data(steps("foreign"), asking)["data_id"])
    folder = made.path.with_name("foreign")
    folder.mkdir()
    store.data.save(replace(made, id="foreign", model_id="other", path=folder))
    request = replace(exclude(brought, Goal("accuracy", 1.0)), data_id="foreign")
    with pytest.raises(BadRequest, match="made ready for another model"):
        asked(request)
    layers = pipeline.SensitivityRequest(brought.model_id, brought.small.id, "foreign")
    with pytest.raises(BadRequest, match="made ready for another model"):
        submit_sensitivity(layers)


def test_what_cannot_be_looked_into_is_refused_before_it_is_queued(brought: Brought) -> None:
    plain = pipeline.ExcludeRequest(brought.model_id, brought.plain.id, Goal("sqnr", 30.0))
    with pytest.raises(BadRequest, match="has no layers to compare"):
        asked(plain)
    with pytest.raises(BadRequest, match="Accuracy needs samples whose class is known"):
        asked(exclude(brought, Goal("accuracy", 1.0)))


def exclude(brought: Brought, goal: Goal) -> pipeline.ExcludeRequest:
    return pipeline.ExcludeRequest(brought.model_id, brought.small.id, goal)
