"""Sections of studies on the page: ticks that have room, and folds that open."""

from __future__ import annotations

import pytest

from engine import Plot, Series
from pages.components import sections


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([1.0, 2.0, 4.0, 8.0], [1, 2, 4, 8]),
        ([3.0, 40.0], [5, 10, 20, 50]),
        ([10.4, 9000.0], [10, 30, 100, 300, 1000, 3000, 10000]),
    ],
)
def test_ticks_are_the_doublings_or_round_numbers(values: list[float], ticks: list[float]) -> None:
    assert sections._ticks(values) == pytest.approx(ticks)


def test_there_are_never_too_many_ticks() -> None:
    assert len(sections._ticks([1e-6, 1e12])) <= sections._MOST_TICKS


def test_parts_are_stacked_and_named_in_their_order() -> None:
    parts = (Series("Load", 0, ("A", "B"), (1.0, 2.0)), Series("Run", 1, ("A", "B"), (3.0, None)))
    plot = Plot("stacked", "Seconds", "", parts, "A takes longest.")
    drawn = sections.chart(plot, _Empty(), dark=False)
    made = drawn.figure.to_dict()
    assert made["layout"]["barmode"] == "stack"
    assert [trace["name"] for trace in made["data"]] == ["Load", "Run"]
    assert [note["text"] for note in made["layout"]["annotations"]] == [
        "A  <b>4</b>",
        "B  <b>2</b>",
    ]
    assert drawn.alt == "A takes longest."


class _Empty:
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
