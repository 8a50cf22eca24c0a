"""Reports side by side: what is lined up, what is divided by what, and what never is."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from engine.bench.model import Environment, NoiseFloor
from engine.bench.stats import Ratio
from engine.bench.unpaired import quotient
from engine.errors import BadRequest
from engine.reports.comparison import Comparison, compare
from engine.reports.figures import figures
from engine.reports.model import Report
from tests.engine.reports.made import report

HERE = {"Processor": "Example CPU", "Logical CPUs": 8, "Kernel": "Linux 6.1"}
THERE = {"Processor": "Another CPU", "Logical CPUs": 8, "Kernel": "Linux 6.1"}


def of(
    id_: str,
    facts: dict[str, object] | None = None,
    medians: dict[str, float] | None = None,
    packages: dict[str, str] | None = None,
) -> Report:
    """A report of that id, measured on a machine of these facts."""
    made = report(medians)
    assert made.measurement is not None
    there = Environment(HERE if facts is None else facts, packages or {"torch": "2.13.0"})  # type: ignore[arg-type]  # scalars
    return replace(made, id=id_, measurement=replace(made.measurement, environment=there))


def words(found: Comparison) -> str:
    """Every sentence and cell of a comparison."""
    tables = (found.latency, found.throughput, found.memory, found.size, found.ratios)
    cells = [cell for table in tables for row in table.rows for cell in row]
    notes = (found.ratios.note, found.sentence, *found.notes, *found.sentences)
    return "\n".join([*cells, *notes])


def test_a_quotient_is_that_of_the_middles_with_both_intervals_in_it() -> None:
    first, second = Ratio(2.0, 1.9, 2.2, 5, "faster"), Ratio(3.0, 2.7, 3.1, 9, "faster", delta=0.1)
    found = quotient(first, second)
    assert found.value == pytest.approx(1.5)
    below = math.hypot(math.log(3.0 / 2.7), math.log(2.2 / 2.0))
    above = math.hypot(math.log(3.1 / 3.0), math.log(2.0 / 1.9))
    assert found.low == pytest.approx(1.5 * math.exp(-below))
    assert found.high == pytest.approx(1.5 * math.exp(above))
    assert (found.verdict, found.rounds, found.delta) == ("faster", 5, 0.1)
    assert found.p == pytest.approx(math.erfc(math.log(1.5) / (below / 1.959964) / math.sqrt(2)))
    back = quotient(second, first)
    assert back.value == pytest.approx(1 / 1.5)
    assert (back.low, back.high) == pytest.approx((1 / found.high, 1 / found.low))
    assert (back.verdict, back.p) == ("slower", pytest.approx(found.p))


def test_its_p_is_five_per_cent_where_its_interval_ends_at_one() -> None:
    first, second = Ratio(1.0, 1.0, 1.0, 5, "equivalent"), Ratio(1.2, 1.0, 1.5, 5, "inconclusive")
    assert quotient(first, second).p == pytest.approx(0.05, abs=1e-6)


def test_what_means_the_same_is_in_one_row_with_the_figures_of_its_own_report() -> None:
    here, there = of("a"), of("b", THERE, {"torch": 140.0, "onnx": 45.0})
    found = compare((here, there))
    assert [row.key for row in found.rows] == ["torch", "onnx", "torchscript"]
    assert [row.name for row in found.rows] == [
        "PyTorch (eager), original",
        "ONNX Runtime",
        "TorchScript",
    ]
    own = {v.format: v for v in figures(there).variants}
    assert found.rows[1].cells[1] is not None
    assert found.rows[1].cells[1].p50 == own["onnx"].p50
    assert found.rows[1].ratios[1] == own["onnx"].ratio, "the ratio is of its own report"
    assert found.rows[2].cells[1] is None
    assert found.latency.columns == ("Variant", "A, machine 1", "B, machine 2")
    assert found.latency.rows[2][2] == "–"
    assert "In one report only: TorchScript." in found.notes


def test_times_of_two_machines_are_never_held_against_each_other() -> None:
    found = compare((of("a"), of("b", THERE, {"torch": 140.0, "onnx": 45.0, "torchscript": 120.0})))
    assert [one.place for one in found.reports] == [
        "Machine 1: Example CPU",
        "Machine 2, another machine: Another CPU",
    ]
    assert any("Not the same hardware" in note for note in found.notes)
    assert found.sentences[0].startswith("ONNX Runtime: 2.0")
    assert found.sentences[0].endswith("a larger ratio than in A.")
    assert found.sentences[1].endswith("the same ratio as in A.")
    apart = [cell for row in found.ratios.rows for cell in row[3:]]
    assert not [cell for cell in apart if "faster" in cell or "slower" in cell]
    assert "times as fast as A" not in words(found)
    own = {v.format: v.ratio for v in figures(of("a")).variants}
    other = found.rows[1].ratios[1]
    assert own["onnx"] is not None
    assert other is not None
    quoted = f"{other.value / own['onnx'].value:.2f}× ["
    assert quoted in found.ratios.rows[1][3]


def test_the_plot_has_a_mark_for_every_ratio_and_a_colour_for_every_target() -> None:
    found = compare((of("a"), of("b", THERE)))
    assert found.forest is not None
    assert [(row.name, row.colour) for row in found.forest.rows] == [
        ("ONNX Runtime · A", 1),
        ("ONNX Runtime · B", 1),
        ("TorchScript · A", 2),
        ("TorchScript · B", 2),
    ]


def test_a_chosen_baseline_is_that_of_every_report() -> None:
    found = compare((of("a"), of("b", THERE)), "onnx")
    assert found.baseline == "onnx"
    assert found.ratios.rows[1][1:3] == ("1× (the baseline)",) * 2
    assert found.ratios.rows[0][1].startswith("0.50×")
    assert dict(found.baselines)["onnx"] == "ONNX Runtime"


def test_without_a_choice_it_is_the_original_or_what_all_have() -> None:
    assert compare((of("a"), of("b", THERE))).baseline == "torch"
    other = of("b", THERE, {"onnx": 45.0, "torchscript": 50.0})
    found = compare((of("a"), other))
    assert found.baseline == "onnx"
    nothing = compare((of("a", medians={"torch": 1.0}), of("b", medians={"onnx": 1.0})))
    assert nothing.baseline == "torch"
    assert any("No ratio against PyTorch (eager) in B" in note for note in nothing.notes)


def test_hardware_that_is_alike_is_one_machine_unless_fingerprints_say_otherwise() -> None:
    here, again = of("a"), of("b", {**HERE, "Kernel": "Linux 6.2"})
    found = compare((here, again))
    assert [one.machine for one in found.reports] == [1, 1]
    assert any("not in the same rounds" in note for note in found.notes)
    floored = []
    for made, host in ((here, "one"), (again, "another")):
        assert made.measurement is not None
        floor = NoiseFloor(0.01, 24, host, "2026-01-01T00:00:00+00:00")
        floored.append(replace(made, measurement=replace(made.measurement, floor=floor)))
    assert [one.machine for one in compare(floored).reports] == [1, 2]
    unnamed = compare((of("a", {}), of("b", {})))
    assert [one.machine for one in unnamed.reports] == [1, 2], "it may be any"


def test_only_what_differs_is_in_the_card() -> None:
    found = compare(
        (
            of("a", packages={"torch": "2.13.0", "numpy": "2.4", "attrs": "25"}),
            of("b", THERE, packages={"torch": "2.14.0", "numpy": "2.4", "attrs": "26"}),
        )
    ).differences
    assert found.columns == ("Fact", "A, machine 1", "B, machine 2")
    assert found.rows == (
        ("Processor", "Example CPU", "Another CPU"),
        ("torch", "2.13.0", "2.14.0"),
    )
    assert "1 other package differs" in found.note
    assert not compare((of("a"), of("b"))).differences.rows


def test_other_models_and_what_was_not_measured_are_said() -> None:
    other = of("b")
    other = replace(other, model=replace(other.model, sha256="cd" * 32))
    assert any("Not the same model" in note for note in compare((of("a"), other)).notes)
    empty = compare((of("a"), replace(of("b"), measurement=None)))
    assert "Nothing was measured in B." in empty.notes
    assert empty.latency.rows[0][2] == "–"


def test_the_same_target_with_other_bytes_has_a_row_of_its_own() -> None:
    made = of("a", medians={"torch": 70.0, "onnx": 35.0, "torchscript": 60.0})
    twice = tuple(
        replace(a, format="onnx", sha256="12" * 32) if a.format == "torchscript" else a
        for a in made.artifacts
    )
    found = compare((replace(made, artifacts=twice),))
    assert [row.key for row in found.rows] == ["torch", "onnx", "onnx 121212"]


def test_what_cannot_be_compared_is_refused_in_words() -> None:
    with pytest.raises(BadRequest, match="0 reports"):
        compare(())
    with pytest.raises(BadRequest, match="2 reports"):
        compare((of("a"), of("a")))
    with pytest.raises(BadRequest, match="'gguf'") as refused:
        compare((of("a"),), "gguf")
    assert "torch, onnx, torchscript" in refused.value.hint
