"""Latency, quality and size together."""

from __future__ import annotations

from dataclasses import replace

from engine.quality.model import Quality
from engine.reports.figures import figures
from engine.reports.model import Report
from engine.reports.tradeoff import Tradeoff, best_for
from tests.engine.reports.made import MIB, report


def sized(sizes: dict[str, int], agreement: dict[str, float]) -> Tradeoff:
    made: Report = report()
    artifacts = tuple(
        replace(
            one,
            size_bytes=sizes[one.format] * MIB,
            is_original=one.format == "torch",
            verification=replace(one.verification, top1_agreement=agreement[one.format])
            if one.verification
            else None,
        )
        for one in made.artifacts
    )
    found = figures(replace(made, artifacts=artifacts)).tradeoff
    assert found is not None
    return found


TRADE = sized(
    {"torch": 100, "onnx": 25, "torchscript": 100}, {"torch": 1.0, "onnx": 0.9, "torchscript": 1.0}
)


def test_what_is_beaten_in_everything_is_marked() -> None:
    unbeaten = {point.artifact_id: point.unbeaten for point in TRADE.points}
    assert unbeaten == {"a-torch": False, "a-onnx": True, "a-torchscript": True}
    assert TRADE.table.rows[0][-1] == "by another"


def test_the_smallest_within_the_limits_is_the_best() -> None:
    def best(**limits: float) -> str | None:
        point = best_for(TRADE, **limits)
        return point and point.artifact_id

    assert best() == "a-onnx"
    assert best(most_loss=5.0) == "a-torchscript"
    assert best(most_loss=5.0, most_ms=65.0) == "a-torchscript"
    assert best(most_loss=5.0, most_ms=50.0) is None
    assert best(most_ms=50.0) == "a-onnx"


def test_an_unknown_loss_is_within_no_limit() -> None:
    unknown = replace(TRADE, points=tuple(replace(one, loss=None) for one in TRADE.points))
    assert best_for(unknown, most_loss=50.0) is None
    assert best_for(unknown) is not None


def test_nothing_given_for_what_is_gained_is_no_tradeoff() -> None:
    assert figures(report({"torch": 70.0})).tradeoff is None
    assert figures(report()).tradeoff is None


def test_accuracy_on_labelled_samples_comes_before_agreement() -> None:
    made = report()
    original = tuple(range(10))
    artifacts = tuple(
        replace(
            one,
            is_original=one.format == "torch",
            quality=()
            if one.format == "torch"
            else (
                Quality(
                    artifact_id=one.id,
                    data_id="d",
                    data_name="digits",
                    data_sha256="ab",
                    noun="images",
                    samples=10,
                    of=10,
                    labels=original,
                    original=original,
                    answers=(*original[:9], 0) if one.format == "onnx" else original,
                ),
            ),
        )
        for one in made.artifacts
    )
    found = figures(replace(made, artifacts=artifacts)).tradeoff
    assert found is not None
    assert found.loss_name == "points of accuracy on labelled samples"
    losses = {point.artifact_id: point.loss for point in found.points}
    assert losses["a-torch"] == losses["a-torchscript"] == 0
    assert losses["a-onnx"] is not None
    assert abs(losses["a-onnx"] - 10) < 1e-9


def test_a_limit_inside_an_interval_is_not_surely_kept() -> None:
    point = next(one for one in TRADE.points if one.artifact_id == "a-onnx")
    assert point.loss_interval is not None and point.latency_interval is not None
    low, high = point.loss_interval
    assert 0.0 <= low <= high <= 100.0
    within = replace(point, loss=10.0, loss_interval=(4.0, 22.0), latency_interval=(34.0, 36.0))
    assert within.unsure(25.0, 40.0) == ""
    assert within.unsure(12.0, 40.0) == "its loss may be up to 22.0 %"
    assert within.unsure(12.0, 35.0).endswith(" and its median up to 36.0 ms")
    assert replace(within, loss_interval=None).unsure(1.0, 40.0) == ""
