"""What loses accuracy is not recommended for being fast."""

from __future__ import annotations

from dataclasses import replace

from engine.quality.model import Quality
from engine.reports.export import export_markdown
from engine.reports.figures import Figures, figures
from engine.reports.model import Report
from engine.reports.recommendation import waited
from tests.engine.reports.made import report

LABELS = tuple(index % 10 for index in range(360))
LOST = "11.9 points of accuracy on digits"


def losing(format: str, medians: dict[str, float] | None = None) -> Report:
    """The artifact of that format answers 43 of 360 wrong, all others none."""
    made = report(medians)

    def judged(artifact_id: str, wrong: int) -> tuple[Quality, ...]:
        answers = (*(99,) * wrong, *LABELS[wrong:])
        sizes = ("0" * 64, "images", 360, 360)
        return (Quality(artifact_id, "d", "digits", *sizes, LABELS, LABELS, answers),)

    artifacts = tuple(
        one
        if one.is_original
        else replace(one, quality=judged(one.id, 43 if one.format == format else 0))
        for one in made.artifacts
    )
    return replace(made, artifacts=artifacts)


def of(format: str, medians: dict[str, float] | None = None) -> Figures:
    return figures(losing(format, medians))


def test_faster_but_less_accurate_is_not_confirmed() -> None:
    claim = of("onnx").recommendation
    assert claim is not None
    assert claim.outcome == "not decided"
    assert claim.sentence.endswith(f"nothing measured is faster, but it loses {LOST}.")
    assert f"but it loses {LOST}: the recommendation is not decided." in of("onnx").headline


def test_slower_and_less_accurate_is_contradicted_all_the_same() -> None:
    claim = of("onnx", {"torch": 70, "onnx": 60, "torchscript": 35}).recommendation
    assert claim is not None
    assert claim.outcome == "contradicted"
    assert claim.sentence.endswith(f"but it loses {LOST}.")


def test_what_loses_accuracy_contradicts_nothing() -> None:
    claim = of("torchscript", {"torch": 70, "onnx": 60, "torchscript": 35}).recommendation
    assert claim is not None
    assert claim.outcome == "confirmed"
    assert f"what is faster loses accuracy (TorchScript {LOST})" in claim.sentence


def test_the_report_warns_of_it_everywhere() -> None:
    warned = f"ONNX Runtime loses {LOST}: surely more than 5 points."
    assert any(warned in warning for warning in of("onnx").warnings)
    assert warned in export_markdown(losing("onnx"))
    assert not any("loses" in warning for warning in of("nothing").warnings)


def test_the_tradeoff_says_which_one_it_is() -> None:
    found = of("onnx").tradeoff
    assert found is not None
    assert {point.artifact_id: point.lost for point in found.points} == {
        "a-torch": "",
        "a-onnx": LOST,
        "a-torchscript": "",
    }
    assert found.sentence.endswith(f"ONNX Runtime loses {LOST}.")


def test_a_format_is_recommended_and_its_best_variant_stands_for_it() -> None:
    made = report({"torch": 70.0, "onnx": 35.0, "torchscript": 30.0})
    assert made.measurement is not None and made.advice is not None
    plan = made.measurement.plan
    same = tuple(
        replace(v, format="onnx", label="ONNX Runtime INT8") if v.format == "torchscript" else v
        for v in plan.variants
    )
    found = figures(
        replace(made, measurement=replace(made.measurement, plan=replace(plan, variants=same)))
    )
    assert found.recommendation is not None
    assert found.recommendation.outcome == "confirmed"
    assert found.recommendation.sentence.startswith("ONNX Runtime INT8 is ")
    assert found.headline.startswith("ONNX Runtime INT8 is ")


def test_a_models_own_threads_that_wait_are_not_other_work() -> None:
    made = report()
    assert made.measurement is not None

    def seen(others: float | None) -> float:
        assert made.measurement is not None
        blocks = (replace(b, psi_share=0.4, others_cpus=others) for b in made.measurement.blocks)
        return waited(replace(made.measurement, blocks=tuple(blocks)))

    assert seen(0.02) == 0.0
    assert seen(0.8) == 0.4
    assert seen(None) == 0.4, "an older report does not say who computed"
