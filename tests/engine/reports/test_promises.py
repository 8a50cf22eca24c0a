"""The claims check: each promise confirmed, contradicted, not decided or not measurable here."""

from __future__ import annotations

from dataclasses import replace

from engine.knowledge import claims
from engine.reports.figures import figures
from engine.reports.model import Report
from engine.types import Change
from engine.verify.model import LanguageComparison
from tests.engine.reports.made import MIB, report


def outcomes(made: Report) -> dict[str, tuple[str, str]]:
    """Outcome and measured figure by claim."""
    return {found.claim.id: (found.outcome, found.measured) for found in figures(made).promises}


def test_every_claim_has_an_answer() -> None:
    found = figures(report()).promises
    assert {promise.claim.id for promise in found} == {claim.id for claim in claims()}
    assert all(promise.measured for promise in found)


def test_a_speed_is_judged_by_its_whole_interval() -> None:
    assert outcomes(report({"torch": 90.0, "onnx": 30.0}))["onnx-cpu-speed"][0] == "confirmed"
    assert outcomes(report({"torch": 90.0, "onnx": 80.0}))["onnx-cpu-speed"][0] == "contradicted"
    assert outcomes(report({"torch": 60.0, "onnx": 30.0}))["onnx-cpu-speed"][0] == "not decided"


def test_what_needs_a_gpu_or_was_not_measured_says_so() -> None:
    found = outcomes(report())
    assert found["onnx-gpu-speed"] == (
        "not measurable here",
        "It is about a GPU, where no eager PyTorch is measured to hold it against.",
    )
    assert found["gguf-size"] == (
        "not measurable here",
        "No plain GGUF was measured in this report.",
    )


def test_a_file_as_large_as_the_original_contradicts_a_smaller_one() -> None:
    assert outcomes(report())["onnx-size"] == ("contradicted", "0 % less")


def test_a_quantized_artifact_does_not_speak_for_its_format() -> None:
    made = report()
    passed = tuple(
        replace(one, passes=(Change("int8-dynamic"),)) if one.format == "onnx" else one
        for one in made.artifacts
    )
    assert outcomes(replace(made, artifacts=passed))["onnx-size"][0] == "not measurable here"


def test_a_loss_is_confirmed_when_its_interval_stays_below() -> None:
    made = report({"torch": 70.0, "onnx": 20.0})
    (original, small) = made.artifacts
    assert small.verification is not None

    def reading(high: float) -> Report:
        read = LanguageComparison("ab", 100, 0.1, 1.0, 90, (0.8, 0.95), 10.0, 10.2, (1.0, high))
        judged = replace(small.verification, language=read)
        gguf = replace(
            small, format="gguf", variant="Q4_0", size_bytes=20 * MIB, verification=judged
        )
        return replace(made, artifacts=(original, gguf))

    assert outcomes(reading(1.04))["gguf-quality"][0] == "confirmed"
    assert outcomes(reading(1.10))["gguf-quality"][0] == "not decided"
    assert outcomes(reading(1.04))["gguf-size"] == ("confirmed", "4.90× better")
