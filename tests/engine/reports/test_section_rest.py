"""The section on how quiet the machine was: each process with what was noted around it."""

from __future__ import annotations

from dataclasses import replace

from engine.reports.sections import rest
from tests.engine.reports.made import report


def test_it_shows_every_process_as_it_ran() -> None:
    made = report()
    assert made.measurement is not None
    first, *others = made.measurement.blocks
    loud = replace(
        first,
        canary_ns=(5_000_000, 6_000_000),
        psi_share=0.25,
        steal_share=None,
        others_cpus=0.8,
        discarded="fixed work took 20 % longer after a block than before it",
    )
    blocks = (loud, *(replace(b, canary_ns=(5_000_000, 5_100_000), psi_share=0.0) for b in others))
    found = rest.section(replace(made, measurement=replace(made.measurement, blocks=blocks)))
    assert found is not None
    assert len(found.table.rows) == len(blocks)
    assert found.table.rows[0][3:] == (
        "5.00",
        "6.00",
        "25.0 %",
        "not told",
        "0.80",
        "fixed work took 20 % longer after a block than before it",
    )
    canary, waiting = found.plots
    assert canary.series[1].y[:2] == (6.0, 5.1)
    assert canary.alt == "Fixed work took 5.05 ms in the middle, 5.00 to 6.00 ms in all."
    assert waiting.alt == (
        "Something waited for a CPU 25.0 % of the time at most; 1 of 15 processes belong to "
        "discarded rounds."
    )


def test_where_the_kernel_is_silent_it_says_so() -> None:
    made = report()
    assert made.measurement is not None
    blocks = tuple(replace(b, psi_share=None) for b in made.measurement.blocks)
    found = rest.section(replace(made, measurement=replace(made.measurement, blocks=blocks)))
    assert found is not None
    assert "does not tell" in found.plots[1].alt
    assert {row[5] for row in found.table.rows} == {"not told"}


def test_nothing_measured_has_no_section() -> None:
    assert rest.section(replace(report(), measurement=None)) is None
