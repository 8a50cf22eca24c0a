"""A report against a baseline that a person picks."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

import numpy as np
import pytest

from engine.bench import paired
from engine.errors import NotFound
from engine.reports.against import against, baselines
from engine.reports.figures import figures
from engine.reports.model import Report
from tests.engine.reports.made import report


def medians(made: Report, key: str) -> list[float]:
    assert made.measurement is not None
    own = sorted((b for b in made.measurement.blocks if b.variant == key), key=lambda b: b.round)
    return [median(b.samples_ns) for b in own]


def test_without_a_choice_it_is_the_original_as_ever() -> None:
    made = report()
    found = figures(made)
    plain = against(made, found.variants, None)
    assert plain.baseline is not None
    assert plain.baseline.is_original
    assert (plain.verdicts, plain.forest) == (found.verdicts, found.forest)
    assert against(made, found.variants, plain.baseline.key) == plain


def test_the_ratios_are_those_of_the_same_rounds_judged_together() -> None:
    made = report()
    found = figures(made)
    chosen = against(made, found.variants, "onnx-b1-t2")
    assert chosen.forest is not None
    rows = {row.name: row.ratio for row in chosen.forest.rows}
    assert set(rows) == {"PyTorch (eager), original", "TorchScript"}
    logs = {}
    for key, name in (("torch-b1-t2", "PyTorch (eager), original"), ("torchscript-b1-t2", None)):
        own = np.log(medians(made, "onnx-b1-t2")) - np.log(medians(made, key))
        logs[name or "TorchScript"] = own.tolist()
    chances = sorted((paired.p_value(values), name) for name, values in logs.items())
    least, most = chances
    for name, values in logs.items():
        assert rows[name].value == pytest.approx(np.exp(paired.middle(values)))
        assert (rows[name].low, rows[name].high) == pytest.approx(
            np.exp(paired.interval(values, 0.95))
        )
        assert rows[name].verdict == "slower"
    assert rows[least[1]].p_adjusted == pytest.approx(2 * least[0])
    assert rows[most[1]].p_adjusted == pytest.approx(max(2 * least[0], most[0]))


def test_the_table_and_the_sentence_name_the_baseline_and_nothing_else_changes() -> None:
    made = report()
    found = figures(made)
    chosen = against(made, found.variants, "onnx-b1-t2")
    assert chosen.verdicts.columns[3] == "Speed against ONNX Runtime"
    speeds = {row[0]: row[3] for row in chosen.verdicts.rows}
    assert speeds["ONNX Runtime"] == "1× (ONNX Runtime)"
    assert speeds["PyTorch (eager), original"].startswith("0.5")
    assert chosen.forest is not None
    assert "slower than ONNX Runtime" in chosen.forest.sentence
    for column in (0, 1, 2, 4, 5, 6, 7, 8):
        assert [row[column] for row in chosen.verdicts.rows] == [
            row[column] for row in found.verdicts.rows
        ], "time, memory and size are what they were"


def test_every_batch_is_held_against_the_baseline_at_that_batch() -> None:
    made = report({"torch": 70.0, "onnx": 35.0})
    assert made.measurement is not None
    plan = made.measurement.plan
    twice = tuple(replace(v, key=v.key.replace("b1", "b8"), batch=8) for v in plan.variants)
    blocks = tuple(
        replace(
            b,
            variant=b.variant.replace("b1", "b8"),
            samples_ns=tuple(8 * s for s in b.samples_ns),
        )
        for b in made.measurement.blocks
    )
    both = replace(
        made,
        measurement=replace(
            made.measurement,
            plan=replace(plan, variants=(*plan.variants, *twice)),
            blocks=(*made.measurement.blocks, *blocks),
        ),
    )
    variants = figures(both).variants
    assert [one.key for one in baselines(variants)] == ["torch-b1-t2", "onnx-b1-t2"]
    small, large = (against(both, variants, key) for key in ("onnx-b1-t2", "onnx-b8-t2"))
    assert small == large, "a key stands for its artifact"
    assert small.forest is not None
    assert [row.name for row in small.forest.rows] == [
        "PyTorch (eager), original, batch 1",
        "PyTorch (eager), original, batch 8",
    ]
    one, eight = (row.ratio.value for row in small.forest.rows)
    assert one == pytest.approx(eight)


def test_a_control_is_no_baseline() -> None:
    made = report(preset="rigorous")
    found = figures(made)
    assert len(baselines(found.variants)) == 3
    chosen = against(made, found.variants, "onnx-b1-t2")
    assert chosen.forest is not None
    assert len(chosen.forest.rows) == 2


def test_two_of_one_label_are_told_apart_by_id() -> None:
    variants = figures(report()).variants
    alike = tuple(replace(v, label="Same") for v in variants)
    names = [one.name for one in baselines(alike)]
    assert names == [f"Same ({v.artifact_id[:6]})" for v in alike]


def test_a_key_that_is_nothing_says_what_there_is() -> None:
    made = report()
    with pytest.raises(NotFound, match="'nothing'") as refused:
        against(made, figures(made).variants, "nothing")
    assert "onnx-b1-t2" in refused.value.hint
