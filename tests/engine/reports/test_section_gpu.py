"""The section of variants on a GPU: both clocks, what was taken on the card, what held it back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.bench.model import GpuUse
from engine.errors import BadRequest
from engine.records import dump
from engine.reports import migrations
from engine.reports.export import export_markdown
from engine.reports.model import Report
from engine.reports.sections import sections
from engine.reports.sections.model import Section
from tests.engine.reports.made import MIB, report


def on_gpu(made: Report, use: GpuUse, share: float = 0.8) -> Report:
    """The ONNX variant's blocks as if a card had computed for this share of their time."""
    assert made.measurement is not None
    blocks = tuple(
        replace(b, gpu=replace(use, compute_ns=tuple(int(ns * share) for ns in b.samples_ns)))
        if b.variant.startswith("onnx")
        else b
        for b in made.measurement.blocks
    )
    return replace(made, measurement=replace(made.measurement, blocks=blocks))


TOLD = GpuUse((1,), (1700, 1755), ("its power limit",), 400 * MIB, 1000 * MIB, 1450 * MIB)
SILENT = GpuUse((1,), (), (), None, None, None)


def only(made: Report) -> Section:
    return next(one for one in sections(made) if one.name == "gpu")


def test_both_clocks_stand_beside_each_other() -> None:
    section = only(on_gpu(report(), TOLD))
    (row,) = section.table.rows
    assert row[0] == "ONNX Runtime"
    alone, whole = (float(cell.split(" [")[0]) for cell in row[1:3])
    assert whole == pytest.approx(35, rel=0.05) and alone / whole == pytest.approx(0.8, rel=0.01)
    assert row[3] == "80 %" and "[" in row[1]
    assert row[4:] == ("400", "450", "1700 to 1755", "5")
    assert section.notes == (
        "ONNX Runtime: the GPU's clock was held back by its power limit in 5 of 5 processes that "
        "count.",
    )


def test_what_nobody_told_is_absent_and_said() -> None:
    section = only(on_gpu(report(), SILENT))
    assert section.table.rows[0][4:7] == ("–", "–", "–")
    assert "did not tell of memory" in section.notes[0]


def test_there_is_none_where_nothing_ran_on_a_gpu() -> None:
    assert "gpu" not in [one.name for one in sections(report())]


def test_it_survives_an_export() -> None:
    made = on_gpu(report(), TOLD)
    assert migrations.load(dump(made)) == made
    assert "On the GPU alone" in export_markdown(made)


@pytest.mark.parametrize(
    "use",
    [
        replace(TOLD, memory_bytes=-1),
        replace(TOLD, clock_mhz=(-5,)),
        replace(TOLD, card_bytes=2**63),
    ],
)
def test_impossible_figures_are_refused(use: GpuUse) -> None:
    with pytest.raises(BadRequest, match="a figure of a GPU is impossible"):
        migrations.load(dump(on_gpu(report(), use)))


def test_a_clock_that_went_backwards_is_refused() -> None:
    with pytest.raises(BadRequest, match="a duration is impossible"):
        migrations.load(dump(on_gpu(report(), TOLD, share=0.0)))
