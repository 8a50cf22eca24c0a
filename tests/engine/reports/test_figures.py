"""Figures follow from raw samples, and the sentences from the figures."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from statistics import median

import numpy as np
import pytest

from engine.bench import stats
from engine.bench.model import GateReading
from engine.bench.stats import Percentile
from engine.reports import words
from engine.reports.export import export_json
from engine.reports.figures import figures
from engine.reports.migrations import loads
from engine.reports.model import Advice, Report
from engine.reports.render import export_html
from engine.verify.model import LanguageComparison
from tests.engine.reports.made import report


def advised(made: Report, format: str) -> Report:
    return replace(made, advice=Advice("leaf", format, format, "tree", {}))


def test_every_figure_can_be_computed_again_from_the_exported_json() -> None:
    made = report()
    found = figures(made)
    assert figures(loads(export_json(made))) == found
    blocks = json.loads(export_json(made))["measurement"]["blocks"]
    for variant in found.variants:
        own = [b["samples_ns"] for b in blocks if b["variant"] == variant.key]
        pooled = [sample / 1e6 for samples in own for sample in samples]
        assert variant.p50.value == pytest.approx(np.median(pooled))
        assert variant.p90.value == pytest.approx(np.quantile(pooled, 0.9))
        assert variant.throughput.value == pytest.approx(1e3 / np.mean(pooled))
        means = [np.mean(samples) / 1e6 for samples in own]
        _, low, high = stats.mean(np.log(means))
        assert variant.mean.value == pytest.approx(np.mean(pooled))
        assert (variant.mean.low, variant.mean.high) == pytest.approx((np.exp(low), np.exp(high)))
        assert variant.throughput.low == pytest.approx(1e3 / np.exp(high))
        assert variant.samples == len(pooled)
    first, second = found.variants[:2]
    medians = [
        [median(b["samples_ns"]) for b in blocks if b["variant"] == v.key] for v in (first, second)
    ]
    assert second.ratio is not None
    logs = np.log(medians[0]) - np.log(medians[1])
    means = [(a + b) / 2 for place, a in enumerate(logs) for b in logs[place:]]
    assert second.ratio.value == pytest.approx(np.exp(np.median(means)))


def test_a_rigorous_record_gives_the_same_figures_again_and_its_control_is_no_variant() -> None:
    made = report(preset="rigorous")
    assert made.measurement is not None
    noisy = GateReading((10, 20, 10), 2, 0.0, 0.0, 0.1, 0.0, None, 0, 0, 0)
    spoiled = replace(made, measurement=replace(made.measurement, gate=(noisy,), stopped_at=12))
    found = figures(spoiled)
    assert figures(loads(export_json(spoiled))) == found
    assert [v.name for v in found.variants] == [
        "PyTorch (eager), original",
        "ONNX Runtime",
        "TorchScript",
    ]
    assert {v.grade for v in found.variants} == {"C"}
    assert any("Noisy machine: before timing" in warning for warning in found.warnings)
    settings = dict(found.environment[1].rows)
    assert "the original against itself" in settings["Noise floor"]
    assert "settled with 99 % confidence" in settings["Rounds"]
    assert "noisy" in settings["Machine before timing"]


def test_what_cannot_be_told_apart_shares_a_rank() -> None:
    found = figures(report({"torch": 70.0, "onnx": 35.0, "torchscript": 35.2}, preset="standard"))
    assert [(v.format, v.rank) for v in found.variants] == [
        ("torch", 3),
        ("onnx", 1),
        ("torchscript", 1),
    ]


def test_memory_is_above_the_import_and_the_first_answer_is_the_sum() -> None:
    variant = figures(report()).variants[0]
    assert variant.memory_mib == 150
    assert variant.baseline_mib == 200
    assert variant.first_answer_s == Percentile(2.0, 2.0, 2.0)
    assert words.duration(variant.load_s) == "250 [250, 250] ms"


def test_a_percentile_without_enough_samples_says_so() -> None:
    variant = figures(report()).variants[0]
    assert variant.p90.value is not None
    assert variant.p99.value is None
    assert variant.p99.why_not == "n too small (n = 65, needs 662)"


def test_the_headline_names_the_figures_and_the_outcome() -> None:
    found = figures(report())
    assert found.headline.startswith("ONNX Runtime is 2.0")
    assert "× [" in found.headline
    assert found.headline.endswith("where it was measured: the recommendation is confirmed.")


@pytest.mark.parametrize(
    ("medians", "format", "outcome", "words"),
    [
        ({"torch": 70, "onnx": 35, "torchscript": 60}, "onnx", "confirmed", "nothing measured"),
        ({"torch": 70, "onnx": 60, "torchscript": 35}, "onnx", "contradicted", "TorchScript is"),
        ({"torch": 35, "onnx": 70, "torchscript": 60}, "onnx", "contradicted", "original is"),
        ({"torch": 70, "onnx": 70, "torchscript": 70}, "onnx", "not decided", "does not speak"),
        ({"torch": 70, "onnx": 35, "torchscript": 60}, "gguf", "not decided", "not put to the"),
        ({"torch": 70, "onnx": 90, "torchscript": 95}, "torch", "confirmed", "nothing measured"),
    ],
)
def test_the_recommendation_meets_the_measurement(
    medians: dict[str, float], format: str, outcome: str, words: str
) -> None:
    found = figures(advised(report(medians), format)).recommendation
    assert found is not None
    assert found.outcome == outcome
    assert words in found.sentence


def test_without_advice_nothing_is_claimed() -> None:
    found = figures(replace(report(), advice=None))
    assert found.recommendation is None
    assert found.headline.endswith("faster than the original where it was measured.")


def test_discarded_rounds_do_not_count_but_are_shown() -> None:
    made = report()
    assert made.measurement is not None
    spoiled = tuple(
        replace(b, discarded="stolen time", samples_ns=(10**12,)) if b.round == 0 else b
        for b in made.measurement.blocks
    )
    found = figures(replace(made, measurement=replace(made.measurement, blocks=spoiled)))
    assert {v.processes for v in found.variants} == {4}
    assert max(v.typical_ms for v in found.variants) < 100
    assert sum(block.discarded is not None for block in found.blocks) == 3
    assert any("round 1" in warning and "stolen" in warning for warning in found.warnings)


def test_a_variant_that_failed_has_a_reason_and_no_figures() -> None:
    made = report()
    assert made.measurement is not None
    failed = replace(made.measurement, failures={"onnx-b1-t2": "It ran out of memory."})
    found = figures(replace(made, measurement=failed))
    assert [v.format for v in found.variants] == ["torch", "torchscript"]
    assert found.failures == {"ONNX Runtime, measuring": "It ran out of memory."}


def test_a_variant_that_was_not_weighed_has_its_times_and_a_reason() -> None:
    made = report()
    assert made.measurement is not None
    unweighed = {"onnx-b1-t2": "It ran out of memory."}
    weighed = tuple(m for m in made.measurement.memory if m.variant not in unweighed)
    measured = replace(made.measurement, memory=weighed, memory_failures=unweighed)
    found = figures(loads(export_json(replace(made, measurement=measured))))
    assert found.failures == {"ONNX Runtime, memory": "It ran out of memory."}
    assert [v.memory_mib is None for v in found.variants] == [False, True, False]
    assert found.variants[1].p50.value > 0


def test_a_format_that_was_not_made_is_named_in_words() -> None:
    made = replace(report(), failures={"exported": "A branch.", "a-later-one": "Unknown here."})
    assert figures(made).failures == {
        "torch.export (.pt2)": "A branch.",
        "a-later-one": "Unknown here.",
    }


def test_without_a_measurement_there_is_still_a_report() -> None:
    found = figures(replace(report(), measurement=None))
    assert found.variants == ()
    assert found.headline.startswith("Nothing was measured")
    assert len(found.verifications) == 2


def test_every_table_is_rectangular() -> None:
    found = figures(report())
    tables = [found.verdicts, found.latency, found.memory, found.start, found.lineage]
    tables += [*found.environment, *(j.table for j in found.verifications)]
    tables += [t for beside in found.references for t in (beside.table, beside.comparable)]
    for table in tables:
        assert table.rows
        assert {len(row) for row in table.rows} == {len(table.columns)}, table.caption


def test_a_busy_machine_decides_nothing() -> None:
    made = report()
    assert made.measurement is not None
    blocks = tuple(replace(block, psi_share=0.4) for block in made.measurement.blocks)
    busy = replace(made, measurement=replace(made.measurement, blocks=blocks))
    quiet, found = figures(made).recommendation, figures(busy).recommendation
    assert quiet is not None and quiet.outcome == "confirmed"
    assert found is not None and found.outcome == "not decided"
    assert "40%" in found.sentence


def test_a_language_models_figures_stand_in_the_report() -> None:
    read = LanguageComparison(
        "ab", 1000, 0.0041, 0.02, 906, (0.886, 0.922), 351.4, 349.7, (0.98, 1)
    )
    made = with_language(report(), read)
    found = figures(made)
    assert found.language is not None
    row = ("4.1e-03", "2.0e-02", "90.6 % [88.6, 92.2]", "350", "0.9952 [0.9800, 1.0000]")
    assert ("ONNX Runtime", *row) in found.language.rows
    assert figures(loads(export_json(made))).language == found.language
    assert "90.6 % [88.6, 92.2]" in export_html(made)
    assert figures(report()).language is None
    refused = figures(with_language(report(), replace(read, error="too long"))).language
    assert refused is not None
    assert "refused: too long" in refused.rows[0]


def with_language(made: Report, found: LanguageComparison) -> Report:
    artifacts = tuple(
        replace(one, verification=replace(one.verification, language=found))
        if one.verification
        else one
        for one in made.artifacts
    )
    return replace(made, artifacts=artifacts)


def test_a_restless_machine_decides_nothing() -> None:
    """Twice as fast in every round, and still not called faster where processes differ by 30 %."""
    made = advised(report(), "onnx")
    assert made.measurement is not None
    restless = tuple(
        replace(b, samples_ns=tuple(int(ns * (1 + 0.3 * (b.round % 2))) for ns in b.samples_ns))
        for b in made.measurement.blocks
    )
    found = figures(replace(made, measurement=replace(made.measurement, blocks=restless)))
    onnx = next(v for v in found.variants if v.format == "onnx")
    assert onnx.grade == "D" and onnx.ratio is not None
    assert onnx.ratio.low > 1.5 and onnx.ratio.verdict == "not decided"
    page = export_html(replace(made, measurement=replace(made.measurement, blocks=restless)))
    assert "not decided (noise grade D)" in page
    assert "faster than the original" not in page


def test_small_ratios_keep_their_digits() -> None:
    made = report({"torch": 1.0, "onnx": 45.0})
    onnx = next(v for v in figures(made).variants if v.format == "onnx")
    assert onnx.ratio is not None
    assert re.fullmatch(r"0\.0\d{3}× \[0\.0\d{3}, 0\.0\d{3}\]", words.times(onnx.ratio))
