"""Statistics against known answers, and against a bootstrap drawn the long way."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats as reference

from engine.bench import paired, stats


def processes(
    random: np.random.Generator, count: int, samples: int, *, between: float, within: float
) -> list[np.ndarray]:
    """Latencies around 1 with spread between and inside processes."""
    levels = random.normal(0, between, count)
    return [np.exp(level + random.normal(0, within, samples)) for level in levels]


@pytest.mark.parametrize(("share", "floor"), [(0.5, 11), (0.9, 64), (0.95, 130), (0.99, 662)])
def test_a_percentile_is_printed_from_its_floor_on(share: float, floor: int) -> None:
    random = np.random.default_rng(1)
    half = floor // 2
    enough = [random.random(half), random.random(floor - half)]
    short = [enough[0], enough[1][:-1]]
    assert stats.percentile(enough, share).value is not None
    found = stats.percentile(short, share)
    assert found.value is None
    assert found.why_not == f"n too small (n = {floor - 1}, needs {floor})"


@pytest.mark.parametrize("count", [2, 3, 4])
def test_of_few_processes_the_interval_holds_what_it_promises(count: int) -> None:
    """Of three nothing can be resampled that holds the truth in 95 of 100 cases."""
    random = np.random.default_rng(count)
    held = 0
    for _ in range(400):
        found = stats.percentile(processes(random, count, 30, between=0.05, within=0.02), 0.5)
        assert found.low is not None and found.high is not None
        held += found.low <= 1 <= found.high
    assert 0.92 <= held / 400 <= 0.98


def test_a_percentile_is_the_pooled_quantile() -> None:
    blocks = [np.arange(1.0, 51.0), np.arange(51.0, 101.0)]
    assert stats.percentile(blocks, 0.5).value == pytest.approx(50.5)
    assert stats.percentile(blocks, 0.9).value == pytest.approx(np.quantile(np.arange(1, 101), 0.9))


def test_the_interval_agrees_with_a_bootstrap_drawn_the_long_way() -> None:
    random = np.random.default_rng(2)
    blocks = processes(random, 24, 30, between=0.03, within=0.05)
    medians = [
        np.median(
            np.concatenate([random.choice(blocks[i], 30) for i in random.integers(0, 24, 23)])
        )
        for _ in range(4000)
    ]
    tail = reference.norm.cdf(-reference.t.ppf(0.975, 23))
    low, high = np.quantile(medians, [tail, 1 - tail])
    found = stats.percentile(blocks, 0.5)
    assert found.low == pytest.approx(low, abs=0.004)
    assert found.high == pytest.approx(high, abs=0.004)


def test_without_process_effects_it_agrees_with_scipy() -> None:
    random = np.random.default_rng(3)
    blocks = processes(random, 20, 50, between=0.0, within=0.1)
    pooled = np.concatenate(blocks)
    known = reference.bootstrap(
        (pooled,), np.median, n_resamples=2000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    found = stats.percentile(blocks, 0.5)
    assert found.low == pytest.approx(known.low, abs=0.005)
    assert found.high == pytest.approx(known.high, abs=0.005)


@pytest.mark.parametrize(("count", "samples"), [(5, 13), (12, 50), (24, 50)])
def test_intervals_cover_the_truth_as_often_as_they_say(count: int, samples: int) -> None:
    random = np.random.default_rng(4)
    covered = 0
    for _ in range(200):
        found = stats.percentile(processes(random, count, samples, between=0.04, within=0.04), 0.5)
        assert found.low is not None and found.high is not None
        covered += found.low <= 1 <= found.high
    assert covered / 200 >= 0.93


def normal(random: np.random.Generator, rounds: int) -> np.ndarray:
    return random.normal(0, 0.04, rounds)


def heavy(random: np.random.Generator, rounds: int) -> np.ndarray:
    return random.standard_t(3, rounds) * 0.025


def bursts(random: np.random.Generator, rounds: int) -> np.ndarray:
    return random.normal(0, 0.02, rounds) * np.where(random.random(rounds) < 0.15, 8, 1)


def load_halfway(random: np.random.Generator, rounds: int) -> np.ndarray:
    return random.normal(0, 0.015, rounds) * np.repeat((1, 5), (rounds // 2, rounds - rounds // 2))


@pytest.mark.parametrize("noise", [normal, heavy, bursts, load_halfway])
@pytest.mark.parametrize("rounds", [5, 8, 12, 24])
def test_a_model_against_itself_is_rarely_called_faster_or_slower(
    rounds: int, noise: Callable[[np.random.Generator, int], np.ndarray]
) -> None:
    """Seeded A/A: the interval holds 1 as often as it says, and no more than 5 % are wrong."""
    random = np.random.default_rng(rounds)
    wrong = covered = 0
    for _ in range(400):
        drift = np.cumsum(random.normal(0, 0.02, rounds))
        first, second = np.exp(drift), np.exp(drift + noise(random, rounds))
        found = stats.ratio(first.tolist(), second.tolist())
        assert found is not None
        wrong += found.verdict in ("faster", "slower")
        covered += found.low <= 1 <= found.high
    assert wrong / 400 <= 0.05
    assert covered / 400 >= 0.93


@pytest.mark.parametrize("noise", [normal, load_halfway])
def test_many_variants_that_are_the_same_are_rarely_told_apart(
    noise: Callable[[np.random.Generator, int], np.ndarray],
) -> None:
    random = np.random.default_rng(31)
    wrong = 0
    for _ in range(200):
        base = noise(random, 12)
        ratios = [
            stats.ratio(np.exp(base).tolist(), np.exp(noise(random, 12)).tolist(), delta=0.005)
            for _ in range(6)
        ]
        found = stats.adjusted([ratio for ratio in ratios if ratio is not None])
        wrong += any(one.verdict in ("faster", "slower", "small but real") for one in found)
    assert wrong / 200 <= 0.08


def test_several_comparisons_are_adjusted_as_holm_says() -> None:
    made = [stats.Ratio(1.2, 1.1, 1.3, 12, "faster", p=p, p_adjusted=p) for p in (0.01, 0.04, 0.03)]
    found = stats.adjusted(made)
    assert [one.p_adjusted for one in found] == pytest.approx([0.03, 0.06, 0.06])
    assert [one.verdict for one in found] == ["faster", "inconclusive", "inconclusive"]
    assert found[1].rounds_needed is not None


@pytest.mark.parametrize("rounds", [2, 5, 8, 12, 24])
def test_intervals_and_p_agree_with_scipy(rounds: int) -> None:
    random = np.random.default_rng(rounds)
    logs = random.normal(0.02, 0.03, rounds).tolist()
    low, high = paired.interval(logs, 0.95)
    if rounds < paired.FEW:
        known = reference.ttest_1samp(logs, 0)
        assert (low, high) == pytest.approx(tuple(known.confidence_interval(0.95)))
    else:
        known = reference.wilcoxon(logs, method="exact")
        # The interval holds exactly the values that the test does not refuse.
        for bound, inward in ((low, 1e-9), (high, -1e-9)):
            inside = reference.wilcoxon(np.array(logs) - bound - inward, method="exact").pvalue
            beyond = reference.wilcoxon(np.array(logs) - bound + inward, method="exact").pvalue
            assert beyond <= 0.05 < inside
    assert paired.p_value(logs) == pytest.approx(known.pvalue)


def test_rounds_that_are_all_the_same_say_that_nothing_differs() -> None:
    for rounds in (3, 12):
        assert paired.p_value([0.0] * rounds) == 1.0
        assert paired.interval([0.0] * rounds, 0.95) == (0.0, 0.0)


def test_a_real_difference_is_found_under_drift() -> None:
    random = np.random.default_rng(6)
    drift = np.exp(np.linspace(0, 0.5, 12))
    first = (drift * np.exp(random.normal(0, 0.01, 12))).tolist()
    second = (drift * 0.8 * np.exp(random.normal(0, 0.01, 12))).tolist()
    found = stats.ratio(first, second)
    assert found is not None
    assert found.verdict == "faster"
    assert found.low <= 1.25 <= found.high


def test_the_ratio_is_the_middle_of_all_pairs_of_rounds() -> None:
    found = stats.ratio([2.0, 4.0, 6.0], [1.0, 1.0, 1.0])
    assert found is not None
    pairs = [2.0, 8**0.5, 12**0.5, 4.0, 24**0.5, 6.0]
    assert found.value == pytest.approx(math.sqrt(pairs[2] * pairs[3]))


def test_one_round_is_no_comparison() -> None:
    assert stats.ratio([1.0], [2.0]) is None


def test_unequal_rounds_are_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="same rounds"):
        stats.ratio([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("middle", "low", "high", "word"),
    [
        (0.5, 0.4, 0.6, "faster"),
        (-0.5, -0.6, -0.4, "slower"),
        (0.0, -0.01, 0.01, "equivalent"),
        (0.02, 0.01, 0.028, "small but real"),
        (0.05, -0.1, 0.2, "inconclusive"),
    ],
)
def test_the_verdict_words(middle: float, low: float, high: float, word: str) -> None:
    assert stats.judge(middle, low, high) == word


def test_an_undecided_ratio_says_how_many_rounds_would_decide() -> None:
    found = stats.ratio([1.0, 1.3, 0.8, 1.1], [1.1, 0.9, 1.2, 1.0])
    assert found is not None and found.verdict == "inconclusive"
    assert found.rounds_needed is not None and found.rounds_needed > 4


def test_grades_follow_the_spread_between_processes() -> None:
    random = np.random.default_rng(7)
    quiet = [level * np.exp(random.normal(0, 0.001, 50)) for level in (1.0, 1.001, 0.999, 1.0)]
    loud = [level * np.exp(random.normal(0, 0.001, 50)) for level in (1.0, 1.3, 0.8, 1.1)]
    assert stats.grade(quiet, discarded=0, disturbed=False) == "A"
    assert stats.grade(quiet, discarded=1, disturbed=False) == "B"
    assert stats.grade(quiet, discarded=0, disturbed=True) == "C"
    assert stats.grade(quiet, discarded=0, disturbed=False, gate_failed=True) == "C"
    assert stats.grade(loud, discarded=0, disturbed=False) == "D"
    tail = [np.concatenate([block, np.full(10, 9.0)]) for block in quiet]
    assert stats.grade(tail, discarded=0, disturbed=False) == "D"


def test_spreads_are_coefficients_of_variation() -> None:
    blocks = [np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0])]
    assert stats.spread_within(blocks) == pytest.approx(0.5)
    assert stats.spread_between(blocks) == pytest.approx(math.sqrt(2) / 3)


def test_the_distribution_ends_at_the_largest_sample_and_one() -> None:
    values = np.random.default_rng(8).random(5000)
    curve = stats.ecdf(values, points=50)
    assert len(curve) <= 50
    assert curve[-1] == (values.max(), 1.0)
    assert [share for _, share in curve] == sorted(share for _, share in curve)
    for value, share in curve:
        assert share == pytest.approx(np.mean(values <= value))
