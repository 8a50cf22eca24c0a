"""The sections on memory: parts and phases worked out by hand, and what is said beside them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.bench.model import MemoryPass, MemoryPhase, SecondCopy
from engine.errors import BadRequest
from engine.reports.export import export_json, export_markdown
from engine.reports.migrations import loads
from engine.reports.model import Report
from engine.reports.render import export_html
from engine.reports.sections import sections
from engine.reports.sections.model import Section
from tests.engine.reports.made import report

MIB = 1024**2
HELD = {"torch": 98, "onnx": 150, "torchscript": 98}
"""MiB found to be held for weights; their tensors come to 98 in every file."""


def weighed(made: Report, *, copied: bool = True, cached: int | None = None) -> Report:
    """Two passes of every variant, the second 2 MiB larger at its end than the first."""
    assert made.measurement is not None
    memory = tuple(
        _pass(variant.key, HELD[variant.format], more, copied, cached)
        for more in (0, 2)
        for variant in made.measurement.plan.variants
    )
    return replace(made, measurement=replace(made.measurement, memory=memory))


def _pass(key: str, held: int, more: int, copied: bool, cached: int | None) -> MemoryPass:
    phases = (
        MemoryPhase("import", *(n * MIB for n in (210, 60, 40, 0, 80, 60))),
        MemoryPhase("load", *(n * MIB for n in (400, 160, 50, 0, 190, 160))),
        MemoryPhase("first", *(n * MIB for n in (230, 170, 50, 0, 200, 170)), calls=1),
        MemoryPhase(
            "steady", *(n * MIB for n in (240 + more, 170 + more, 50, 0, 200, 170)), calls=50
        ),
    )
    copy = SecondCopy(4 * MIB, held * MIB, 10 * MIB, 10 * MIB) if copied else None
    known = None if cached is None else cached * MIB
    return MemoryPass(
        key, 100 * MIB, 400 * MIB, 400 * MIB, 170 * MIB, 50 * MIB, phases, copy, 98 * MIB,
        known, None if known is None else 5 * MIB,
    )  # fmt: skip


def on_memory(made: Report) -> list[Section]:
    return [one for one in sections(made) if one.name.startswith("memory")]


def both(made: Report) -> tuple[Section, Section]:
    parts, phases = on_memory(made)
    return parts, phases


def test_there_is_none_where_phases_were_not_weighed() -> None:
    assert on_memory(report()) == []


def test_the_parts_are_medians_with_their_range() -> None:
    parts, _ = both(weighed(report()))
    assert parts.table.columns == (
        *("Variant", "Runtime", "Weights", "Workspace", "Freed, not given back", "Together"),
        *("Import alone", "Tensors in the file", "Weights mapped from it", "Measured"),
    )
    rows = {row[0]: row[1:] for row in parts.table.rows}
    # 240 and 242 at their height, less 98 of weights, 10 of workspace and 4 that were freed.
    assert rows["TorchScript"] == (
        *("129 [128 to 130]", "98.0", "10.0", "4.00", "241 [240 to 242]", "100"),
        *("98.0", "–", "2 times"),
    )
    (plot,) = parts.plots
    assert plot.kind == "stacked"
    assert [(one.name, one.y[2]) for one in plot.series] == [
        ("Runtime", 129.0),
        ("Weights", 98.0),
        ("Workspace", 10.0),
        ("Freed, not given back", 4.0),
    ]
    assert "TorchScript takes 241 MiB while it runs, of which 98.0 MiB are weights" in plot.alt


def test_weights_that_are_not_what_the_file_holds_are_flagged() -> None:
    parts, _ = both(weighed(report()))
    assert parts.notes == (
        "ONNX Runtime: its tensors come to 98.0 MiB in the file, and 150 MiB were found to be held "
        "for them: the runtime keeps them in another form, or a copy beside them.",
    )


@pytest.mark.parametrize(
    ("computed", "said"),
    [(5, "reports 5.00 MiB: they agree."), (4, "do not agree; the runtime's figure is shown.")],
)
def test_keys_and_values_are_a_part_of_their_own(computed: int, said: str) -> None:
    parts, _ = both(weighed(report(), cached=computed))
    row = dict(zip(parts.table.columns, parts.table.rows[0], strict=True))
    assert (row["Keys and values"], row["Workspace"]) == ("5.00", "5.00")
    assert any(note.endswith(said) for note in parts.notes)


def test_a_model_that_was_not_opened_twice_says_so() -> None:
    parts, _ = both(weighed(report(), copied=False))
    row = dict(zip(parts.table.columns, parts.table.rows[0], strict=True))
    # 210 after loading, 100 after the import; then up to 240 and 242.
    assert (row["Weights"], row["Workspace"], row["Runtime"]) == (
        "110",
        "31.0 [30.0 to 32.0]",
        "100",
    )
    assert sum("too little memory to open it twice" in note for note in parts.notes) == 3


def test_every_phase_has_a_row() -> None:
    _, phases = both(weighed(report()))
    assert len(phases.table.rows) == 3 * 4
    assert phases.table.columns[:4] == ("Variant", "Phase", "Peak", "Resident")
    assert phases.table.rows[-1] == (
        *("TorchScript", "Steady", "241 [240 to 242]", "221 [220 to 222]", "171 [170 to 172]"),
        *("50.0", "0", "200", "170", "1", "50", "2 times"),
    )


def test_exports_hold_both_and_give_them_back() -> None:
    made = weighed(report())
    page, text = export_html(made), export_markdown(made)
    for section in both(made):
        assert section.title in page
        assert section.table.caption in text
    assert loads(export_json(made)) == made


def test_an_impossible_amount_is_refused() -> None:
    made = weighed(report())
    spoiled = export_json(made).replace(f'"held_bytes":{10 * MIB}', '"held_bytes":-1')
    spoiled = spoiled.replace(f'"held_bytes": {10 * MIB}', '"held_bytes": -1')
    assert "-1" in spoiled
    with pytest.raises(BadRequest, match="an amount of memory is impossible"):
        loads(spoiled)
