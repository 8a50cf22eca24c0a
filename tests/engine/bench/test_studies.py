"""Studies: what is found beside the times, kept with the measurement, and shown as sections."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from engine.bench import session, studies
from engine.bench.model import Measurement, MeasurePlan
from engine.bench.studies import cold
from engine.errors import BadRequest, InvalidModel, TaskCancelled
from engine.jobs.steps import DirectSteps
from engine.reports import migrations, sections
from engine.types import Artifact
from tests.engine.bench.test_session import TINY, InProcess, plan
from tests.models import eager


@pytest.fixture
def model(tmp_path: Path) -> Artifact:
    return eager(tmp_path / "model")


def studied(model: Artifact, steps: Any, name: str = "cold") -> Measurement:
    artifacts = {"original": replace(model, id="original"), "other": replace(model, id="other")}
    return session.run(steps, replace(plan(), studies=(name,)), artifacts, model.signature)


@pytest.mark.parametrize("name", studies.studies())
def test_a_study_has_a_field_for_what_it_finds(name: str) -> None:
    assert studies.studies()[name].name == name
    field = next(field for field in fields(Measurement) if field.name == name)
    assert field.default == ()


def test_sections_have_places_of_their_own() -> None:
    folder = Path(sections.__file__).parent
    names = [file.stem for file in folder.glob("*.py") if file.stem not in ("__init__", "model")]
    modules = [__import__(f"engine.reports.sections.{name}", fromlist=["PLACE"]) for name in names]
    places = [module.PLACE for module in modules]
    assert len(set(places)) == len(places) > 0


def test_an_unknown_study_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadRequest, match=r"no study 'warm'.*cold"):
        studies.checked(("cold", "warm"))
    assert studies.checked(("cold", "cold")) == ("cold",)


def test_what_a_study_finds_is_kept_beside_the_times(model: Artifact, tmp_path: Path) -> None:
    steps = InProcess(tmp_path)
    found = studied(model, steps)
    assert steps.labels[-1] == "Cold start"
    assert len(found.blocks) == 8
    assert len(found.cold) == 2 * 2 * cold.PROCESSES
    assert {(one.variant, one.evicted) for one in found.cold} == {
        (variant, evicted) for variant in "ab" for evicted in (False, True)
    }
    assert found.study_failures == {}


def test_a_variant_that_fails_in_a_study_keeps_its_times(model: Artifact, tmp_path: Path) -> None:
    class Fails(InProcess):
        def run(self, task: Any) -> dict[str, Any]:
            if task.name == "study" and task.request["variant"] == "b":
                raise InvalidModel("It does not open.", hint="Bring another.")
            return super().run(task)

    found = studied(model, Fails(tmp_path))
    assert {block.variant for block in found.blocks} == {"a", "b"}
    assert found.failures == {}
    assert list(found.study_failures) == ["cold: b"]
    assert "It does not open." in found.study_failures["cold: b"]
    assert {one.variant for one in found.cold} == {"a"}
    assert len(found.cold) == 2 * cold.PROCESSES


def test_a_study_can_be_cancelled(model: Artifact, tmp_path: Path) -> None:
    class Cancelled(InProcess):
        def run(self, task: Any) -> dict[str, Any]:
            if task.name == "study":
                raise TaskCancelled
            return super().run(task)

    with pytest.raises(TaskCancelled):
        studied(model, Cancelled(tmp_path))


def test_a_cold_start_of_a_real_process(
    model: Artifact, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cold, "PROCESSES", 1)
    short = replace(TINY, rounds=1, spare_rounds=0, memory_passes=0, gate_tries=0)
    only = plan(short).variants[:1]
    asked = MeasurePlan(short, only, (("a",),), seed=1, studies=("cold",))
    steps = DirectSteps("cold-start", lambda views, partial: None)
    found = session.run(steps, asked, {"original": model}, model.signature)
    assert found.study_failures == {}
    assert [one.evicted for one in found.cold] == [False, True]
    for one in found.cold:
        assert min(one.start_s, one.import_s, one.load_s, one.first_s) > 0
        assert one.read_bytes is None or one.read_bytes >= 0


def test_an_impossible_figure_of_a_study_is_no_report() -> None:
    from engine.bench.observations import ColdStart
    from engine.records import dump
    from tests.engine.reports.made import report

    made = report()
    assert made.measurement is not None
    key = made.measurement.plan.variants[0].key
    for wrong in (ColdStart(key, False, 1.0, -1.0, 1.0, 1.0, None),):
        spoiled = replace(made, measurement=replace(made.measurement, cold=(wrong,)))
        with pytest.raises(BadRequest, match="a figure of the study cold is impossible"):
            migrations.load(dump(spoiled))
    unknown = replace(made.measurement, cold=(ColdStart("x", False, 1.0, 1.0, 1.0, 1.0, None),))
    with pytest.raises(BadRequest, match="a study of 'x', not planned"):
        migrations.load(dump(replace(made, measurement=unknown)))
