"""The section on energy: watts and joules worked out by hand, and the words for their absence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.bench.observations import EnergyLoad, Reading
from engine.records import dump
from engine.reports import migrations
from engine.reports.export import export_markdown
from engine.reports.model import Report
from engine.reports.sections import energy, sections
from engine.reports.sections.model import Section
from tests.engine.reports.made import report

S = 1_000_000_000
J = 1_000_000
COUNTERS = ("package-0", "dram")
REASON = "Not available: RAPL: this kernel has no /sys/class/powercap; NVML: no driver."


def process(variant: str, watts: float, *, busy: float = 0.0) -> EnergyLoad:
    """10 W at rest and ``watts`` under load in the package, always 2 W in its memory."""
    rest = (
        Reading(0, (0, 0)),
        Reading(5 * S, (50 * J, 10 * J)),
        Reading(10 * S, (100 * J, 20 * J)),
    )
    start, end = 12, 42
    load = tuple(
        Reading(at * S, (int((100 + watts * (at - start)) * J), 2 * at * J))
        for at in (start, 30, end)
    )
    return EnergyLoad(variant, COUNTERS, 1500, 30 * S, rest, load, busy)


def studied(
    made: Report, watts: tuple[float, ...] = (30.0, 32.0, 34.0), busy: float = 0.0
) -> Report:
    assert made.measurement is not None
    plan = replace(made.measurement.plan, studies=("energy",))
    loads = tuple(process(v.key, w, busy=busy) for w in watts for v in plan.variants)
    return replace(made, measurement=replace(made.measurement, plan=plan, energy=loads))


def only(made: Report) -> Section:
    """That of this study, found among all that a report has."""
    return next(one for one in sections(made) if one.name == "energy")


def test_gross_and_net_joules_follow_from_the_readings() -> None:
    found = energy.spent(process("a", 30.0), 0)
    assert found is not None
    assert (found.idle_w, found.load_w) == (10, 30)
    # 30 W over 30 s are 900 J, of 1500 inferences; a third is the idle machine's.
    assert found.gross_j == pytest.approx(0.6)
    assert found.net_j == pytest.approx(0.4)
    memory = energy.spent(process("a", 30.0), 1)
    assert memory is not None
    assert memory.gross_j == pytest.approx(0.04)
    assert memory.net_j == pytest.approx(0)


def test_every_counter_of_every_variant_has_its_row() -> None:
    found = only(studied(report()))
    assert len(found.table.rows) == 6
    # 32 W ± Student's t of two degrees (4.303) times 2 W over the root of three.
    assert found.table.rows[0] == (
        "PyTorch (eager), original",
        "package-0",
        "0.640 [0.541, 0.739]",
        "0.440 [0.341, 0.539]",
        "32.0 [27.0, 37.0]",
        "10.0 [10.0, 10.0]",
        "3",
    )
    assert found.notes == ()
    assert "### Energy in joules an inference" in export_markdown(studied(report()))


def test_one_process_has_no_interval() -> None:
    found = only(studied(report(), (30.0,)))
    assert found.table.rows[0][2:4] == ("0.600", "0.400")


def test_beside_other_work_there_is_no_figure() -> None:
    found = only(studied(report(), (30.0,), busy=0.5))
    assert found.table.rows[0][2:4] == ("not available", "not available")
    assert found.notes == (
        "3 of 3 processes do not count: others kept up to 0.500 CPUs busy meanwhile, and the "
        "counters cannot tell their energy from the model's.",
    )


def test_too_few_readings_give_no_figure() -> None:
    made = studied(report(), (30.0,))
    assert made.measurement is not None
    short = tuple(replace(load, load=load.load[:1]) for load in made.measurement.energy)
    found = only(replace(made, measurement=replace(made.measurement, energy=short)))
    assert found.table.rows[0][2] == "not available"


def test_without_counters_there_is_the_reason_and_no_figure() -> None:
    made = report()
    assert made.measurement is not None
    plan = replace(made.measurement.plan, studies=("energy",))
    failures = {f"energy: {v.key}": REASON for v in plan.variants}
    measurement = replace(made.measurement, plan=plan, study_failures=failures)
    found = only(replace(made, measurement=measurement))
    assert "Not available on the machine that measured" in found.caption
    assert found.notes == (REASON,)
    assert {cell for row in found.table.rows for cell in row[1:]} == {"not available"}
    assert found.plots == ()


def test_a_report_with_energy_is_read_again() -> None:
    made = studied(report())
    assert migrations.load(dump(made)) == made


def test_there_is_none_where_it_was_not_asked_for() -> None:
    assert "energy" not in [one.name for one in sections(report())]
