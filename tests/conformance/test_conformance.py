"""The conformance suite keeps its own rules, and a sample of the cases that passed still passes."""

from __future__ import annotations

import pytest

from tests.conformance import run as runs
from tests.conformance.cases import KINDS, Case, excluded, exclusions, load
from tests.conformance.results import README, Result, readme_section

EVERY = 10
CHEAP = ("light/test_squeezenet", "light/test_shufflenet")


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    return {case.id: case for kind in KINDS for case in load(kind)}


def test_nothing_is_missing(cases: dict[str, Case]) -> None:
    """The numbers of onnx 1.23.2; a new onnx needs a new run."""
    counts = {kind: len(load(kind)) for kind in KINDS}
    assert counts == {
        "node": 1884,
        "pytorch-converted": 82,
        "pytorch-operator": 35,
        "simple": 23,
        "light": 9,
    }


def test_every_exclusion_is_the_reason_for_a_case(cases: dict[str, Case]) -> None:
    used = {excluded(case) for case in cases.values()}
    assert [rule for rule in exclusions() if rule not in used] == []


def test_every_case_is_counted_or_excluded_and_never_both(cases: dict[str, Case]) -> None:
    stored = Result.stored()
    counted = [*stored.passed, *stored.failed]
    assert len(counted) == len(set(counted))
    assert not set(counted) & set(stored.excluded)
    assert {*counted, *stored.excluded} == set(cases)
    reasons = {name: rule.reason for name, case in cases.items() if (rule := excluded(case))}
    assert stored.excluded == reasons, "run make conformance: the exclusions have changed"


def test_the_readme_says_what_was_measured() -> None:
    section = readme_section(Result.stored())
    assert section in README.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "share"),
    [("node", 0.9), ("pytorch-converted", 1), ("pytorch-operator", 1), ("simple", 1), ("light", 1)],
)
def test_the_targets_are_kept(kind: str, share: float) -> None:
    stored = Result.stored()
    passed, failed = (
        sum(name.startswith(f"{kind}/") for name in names)
        for names in (stored.passed, stored.failed)
    )
    assert passed / (passed + failed) >= share


def test_a_crash_costs_the_case_it_happened_in() -> None:
    names = [f"node/test_{name}" for name in ("relu", "abs", "neg")]
    errors = runs.run(names, processes=1, worker=["tests.conformance.probe_worker"])
    assert set(errors) == set(names)
    assert errors["node/test_relu"] is None
    assert errors["node/test_neg"] is None
    assert "the process ended with -9" in (errors["node/test_abs"] or "")


def test_a_wrong_answer_is_a_failure() -> None:
    """The judge itself can fail: the same case, held against another's output."""
    from tests.conformance import worker

    relu, swapped = (
        next(c for c in load("node") if c.id == f"node/test_{n}") for n in ("relu", "abs")
    )
    wrong = Case(relu.kind, relu.name, relu.model, swapped.data, relu.rtol, relu.atol)
    assert "Differs" in (worker.verdict(wrong) or "")


def test_what_passed_still_passes() -> None:
    """A sample that does not change: every tenth case, and the smallest of the light models."""
    passed = Result.stored().passed
    sample = [*passed[::EVERY], *(name for name in CHEAP if name not in passed[::EVERY])]
    assert set(CHEAP) <= set(passed)
    errors = runs.run(sample, processes=1, chunk=len(sample))
    assert {name: error for name, error in errors.items() if error} == {}
