"""The section on tokens: figures worked out by hand from made records."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import pytest

from engine.bench.observations import Writing
from engine.records import dump
from engine.reports import migrations
from engine.reports.export import export_markdown
from engine.reports.model import Report
from engine.reports.render import export_html
from engine.reports.sections import sections
from engine.reports.sections.model import Section
from tests.engine.reports.made import report

MIB = 1024**2
MS = 1_000_000
FIRST_MS = {"torch": 200, "onnx": 400, "torchscript": 800}
LLAMA = "llama.cpp, keys and values kept in F16"
AGAIN = "nothing is kept, so that every token reads the whole text again"


def process(variant: str, prompt: int, first_ms: int, pace_ms: int, *, keeps: bool) -> Writing:
    """Five writings of 17 tokens, all as fast as each other."""
    return Writing(
        variant,
        prompt,
        keeps,
        LLAMA if keeps else AGAIN,
        10 * MS,
        1500 * MS,
        2 * first_ms * MS,
        (first_ms * MS,) * 5,
        ((pace_ms * MS,) * 16,) * 5,
        100 * MIB,
        350 * MIB,
        200 * MIB,
        150 * MIB,
    )


def written(made: Report, lengths: tuple[int, ...] = (512, 128)) -> Report:
    """Three processes a variant and length, the third with a pace 4 times as slow."""
    assert made.measurement is not None
    tokens = tuple(
        process(v.key, length, FIRST_MS[v.format] * length // 512, pace, keeps=v.format == "torch")
        for length in lengths
        for pace in (10, 10, 40)
        for v in made.measurement.plan.variants
    )
    return replace(made, measurement=replace(made.measurement, tokens=tokens))


def only(made: Report) -> Section:
    """That of this study, found among all that a report has."""
    return next(one for one in sections(made) if one.name == "tokens")


def test_every_figure_follows_from_the_records() -> None:
    found = only(written(report()))
    rows = {row[:2]: dict(zip(found.table.columns, row, strict=True)) for row in found.table.rows}
    assert next(iter(rows)) == ("PyTorch (eager), original", "512"), "the longest prompt first"
    assert len(rows) == 6
    row = rows["PyTorch (eager), original", "512"]
    assert row["First token, ms"] == "200 [200, 200]"
    # Medians of 10, 10 and 40 ms: Student's t on their logs, about the median of all.
    wide = 4 ** (4.302652730 * sqrt(1 / 3) / sqrt(3))
    assert row["Next token p50, ms"] == f"10.0 [{10 / wide:.1f}, {10 * wide:.1f}]"
    assert row["Next token p90, ms"].startswith("40.0 [")
    assert row["Next token p99, ms"] == "n too small (n = 240, needs 662)"
    # 512 tokens in 0.2 s, in every process.
    assert row["Reading, tokens/s"] == "2560 [2560, 2560]"
    # 100, 100 and 25 tokens a second: the cube root of the product; Student's t of two degrees.
    middle = (100 * 100 * 25) ** (1 / 3)
    assert middle == pytest.approx(63.0, abs=0.05)
    factor = 4 ** (4.302652730 * sqrt(1 / 3) / sqrt(3))
    shown = f"{middle:.1f} [{middle / factor:.1f}, {middle * factor:.1f}]"
    assert row["Writing, tokens/s"] == shown
    assert row["Load, s"] == "1.50"
    assert row["Memory, MiB"] == "250"
    assert (row["Tokens a writing"], row["Writings"], row["Processes"]) == ("17", "15", "3")


def test_enough_tokens_have_a_p99() -> None:
    made = written(report())
    assert made.measurement is not None
    more = replace(made.measurement, tokens=made.measurement.tokens * 3)
    found = only(replace(made, measurement=more))
    at = found.table.columns.index("Next token p99, ms")
    assert all(row[at].startswith("40.0 [") for row in found.table.rows)


def test_both_plots_have_every_variant_at_both_lengths() -> None:
    first, following = only(written(report())).plots
    for plot in (first, following):
        assert plot.kind == "curves"
        assert [one.name for one in plot.series] == [
            "PyTorch (eager), original",
            "ONNX Runtime",
            "TorchScript",
        ]
        assert all(one.x == (128, 512) for one in plot.series)
    assert [one.y for one in first.series] == [(50, 200), (100, 400), (200, 800)]
    assert first.alt == (
        "After a prompt of 512 tokens, the first token takes PyTorch (eager), original 200 ms, and "
        "TorchScript 800 ms."
    )
    (points, _) = only(written(report(), (512,))).plots
    assert points.kind == "points"


def test_who_keeps_nothing_is_named() -> None:
    found = only(written(report()))
    assert found.notes == (
        f"PyTorch (eager), original: {LLAMA}.",
        f"ONNX Runtime, TorchScript: {AGAIN}.",
    )
    assert "Greedy" in found.table.note
    assert "Making tokens of text" in found.table.note


def test_exports_hold_it_and_a_report_of_it_is_read_again() -> None:
    made = written(report())
    assert "### First and next tokens" in export_markdown(made)
    assert "<h2>First and next tokens</h2>" in export_html(made)
    assert migrations.load(dump(made)) == made


def test_there_is_none_where_nobody_wrote() -> None:
    assert "tokens" not in [one.name for one in sections(report())]
