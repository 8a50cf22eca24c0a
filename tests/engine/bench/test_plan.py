"""Rounds in which no variant has a better place."""

from __future__ import annotations

from collections import Counter

import pytest

from engine.bench.model import Variant
from engine.bench.plan import PRESETS, make_plan, rounds
from engine.bench.stats import FLOORS
from engine.errors import BadRequest


def variants(count: int) -> tuple[Variant, ...]:
    return tuple(Variant(f"v{n}", f"a{n}", "torch", "T", 1, 1, n == 0) for n in range(count))


@pytest.mark.parametrize("size", range(1, 8))
@pytest.mark.parametrize("count", [1, 4, 5, 12, 24])
def test_every_variant_takes_every_place_equally_often_within_one(size: int, count: int) -> None:
    order = rounds(tuple("abcdefg"[:size]), count, seed=3)
    assert len(order) == count
    assert all(sorted(row) == sorted("abcdefg"[:size]) for row in order)
    for place in range(size):
        taken = Counter({name: 0 for name in "abcdefg"[:size]})
        taken.update(row[place] for row in order)
        assert max(taken.values()) - min(taken.values()) <= 1


@pytest.mark.parametrize("size", [2, 3, 4, 5, 6])
def test_every_variant_follows_every_other_equally_often(size: int) -> None:
    whole = size if size % 2 == 0 else 2 * size
    order = rounds(tuple("abcdef"[:size]), whole, seed=8)
    follows = Counter((row[i], row[i + 1]) for row in order for i in range(size - 1))
    assert len(follows) == size * (size - 1)
    assert len(set(follows.values())) == 1


def test_two_variants_change_places_from_round_to_round() -> None:
    order = rounds(("a", "b"), 8, seed=1)
    assert all(set(order[at : at + 2]) == {("a", "b"), ("b", "a")} for at in range(0, 8, 2))


def test_more_rounds_of_a_seed_only_add_to_the_end() -> None:
    assert rounds(("a", "b", "c"), 7, seed=9)[:5] == rounds(("a", "b", "c"), 5, seed=9)


def test_seeds_give_different_orders() -> None:
    assert len({rounds(("a", "b", "c", "d"), 8, seed=seed) for seed in range(10)}) > 5


def test_a_plan_says_its_order_and_seed() -> None:
    plan = make_plan(variants(3), "quick", seed=4)
    assert plan.seed == 4
    assert len(plan.order) == plan.preset.rounds == 5
    assert plan == make_plan(variants(3), "quick", seed=4)


@pytest.mark.parametrize(
    ("preset", "share"), [("quick", 0.9), ("standard", 0.9), ("rigorous", 0.99)]
)
def test_presets_gather_enough_samples_for_their_percentile(preset: str, share: float) -> None:
    wanted = PRESETS[preset]
    assert wanted.rounds * wanted.iterations >= FLOORS[share]


def test_an_unknown_preset_names_those_there_are() -> None:
    with pytest.raises(BadRequest, match="quick, standard, rigorous"):
        make_plan(variants(1), "eternal", seed=1)


def test_nothing_to_measure_is_refused() -> None:
    with pytest.raises(BadRequest, match="nothing to measure"):
        make_plan((), "quick", seed=1)


def test_a_variant_twice_is_refused() -> None:
    with pytest.raises(BadRequest, match="twice"):
        make_plan(variants(1) * 2, "quick", seed=1)
