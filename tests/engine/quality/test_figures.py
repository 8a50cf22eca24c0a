"""What is said of answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.quality.answers import answers
from engine.quality.figures import accuracy, agreement, lost, sentence, warning
from engine.quality.model import Quality
from engine.records import dump, parse
from engine.verify.model import LanguageComparison, Window
from engine.verify.wilson import wilson

LABELS = tuple(index % 10 for index in range(360))
WRONG = 10


def judged(original_wrong: int, wrong: int) -> Quality:
    """The first so many answers of each are wrong."""

    def found(count: int) -> tuple[int, ...]:
        return tuple(99 if at < count else label for at, label in enumerate(LABELS))

    answered = found(original_wrong), found(wrong)
    return Quality("a", "d", "digits", "0" * 64, "images", 360, 360, LABELS, *answered)


def test_accuracy_is_counted_before_and_after() -> None:
    found = accuracy(judged(WRONG, WRONG + 1))
    assert found is not None
    assert (found.before.right, found.after.right) == (350, 349)
    assert (found.lost, found.won, found.p) == (1, 0, 1.0)
    assert found.interval[0] < found.difference < found.interval[1]


def test_it_is_said_with_its_interval_and_its_test() -> None:
    said = sentence(judged(WRONG, WRONG + 1))
    assert said.startswith("Accuracy 97.2 % → 96.9 % (−0.3 points [−")
    assert said.endswith("McNemar p = 1; 360 images of digits)")


def test_no_change_has_no_sign() -> None:
    assert "(0.0 points [−" in sentence(judged(WRONG, WRONG))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (WRONG, ""),
        (WRONG + 5, ""),  # five in 360: may be chance
        (WRONG + 18, ""),  # no chance, but perhaps no more than 5 points
        (WRONG + 43, "11.9 points of accuracy on digits"),
        (0, ""),
    ],
)
def test_accuracy_is_lost_where_the_whole_interval_says_so(wrong: int, said: str) -> None:
    found = judged(WRONG, wrong)
    assert lost(found) == said
    assert warning(found).startswith(f"Loses {said}, surely more than 5" if said else "")
    assert bool(warning(found)) == bool(said)


def test_what_is_not_counted_is_not_called_lost() -> None:
    assert lost(replace(judged(0, 200), labels=None)) == ""
    assert lost(replace(judged(0, 200), error="it takes batch 2 only")) == ""


def test_without_labels_it_is_agreement() -> None:
    found = replace(judged(0, 36), labels=None)
    assert accuracy(found) is None
    same = agreement(found)
    assert same is not None
    assert (same.right, same.of) == (324, 360)
    assert sentence(found) == (
        "The same likeliest answer as the original 90.0 % [86.5, 92.7] of the time "
        "(360 images of digits)"
    )


def test_a_slow_model_says_how_many_it_answered() -> None:
    assert "the first 360 of 1,000 images" in sentence(replace(judged(0, 0), of=1000))


def test_a_refusal_is_said() -> None:
    found = replace(judged(0, 0), error="it takes batch 2 only")
    assert sentence(found) == "It fails on 360 images of digits: it takes batch 2 only"
    assert accuracy(found) is agreement(found) is None


def test_a_language_model_is_judged_by_its_chances() -> None:
    read = LanguageComparison("0", 900, 0.01, 0.2, 870, (0.95, 0.98), 50.0, 51.0, (1.01, 1.03))
    found = Quality("a", "d", "mine.txt", "0", "pieces", 4, 4, language=read)
    assert "Perplexity 1.0200 times the original's [1.0100, 1.0300]" in sentence(found)
    assert "0.01 nats, the same likeliest word 96.7 % [95.0, 98.0]" in sentence(found)
    assert "intervals by places, as Assay once did: too narrow" in sentence(found)
    one = replace(read, top1_interval=None, windows=(Window(900, 870, 1.0, 1.0),))
    said = sentence(replace(found, language=one))
    assert "likeliest word 96.7 % of the time" in said
    assert "not to be had from one window" in said


@pytest.mark.parametrize(("samples", "wide"), [(4, True), (40, False)])
def test_places_of_a_sample_are_no_witnesses_of_their_own(samples: int, wide: bool) -> None:
    """Every second sample agrees at all of its fifty places, the others at none."""
    told = tuple(place // 50 % 2 for place in range(50 * samples))
    found = replace(
        judged(0, 0),
        samples=samples,
        labels=None,
        original=told,
        answers=(0,) * len(told),
        places=50,
    )
    same = agreement(found)
    assert same is not None and same.value == 0.5
    alone = wilson(samples // 2, samples)
    assert same.interval[1] - same.interval[0] > 0.9 * (alone[1] - alone[0])
    assert ("by images, so few that it is wide" in sentence(found)) == wide
    assert "by images" in sentence(found)


@pytest.mark.parametrize("found", [judged(1, 2), replace(judged(0, 0), labels=None)])
def test_it_survives_its_document(found: Quality) -> None:
    assert parse(Quality, dump(found)) == found


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (np.array([[0.1, 0.9]]), [1]),
        (np.array([[[0.1, 0.9], [0.8, 0.2]]]), [1, 0]),
        (np.array([7]), [7]),
        (np.array([[0.5]]), None),
        (np.zeros((1, 2, 3, 3)), None),
        (np.float32(1), None),
    ],
)
def test_answers_are_the_likeliest_classes(output: np.ndarray, said: list[int] | None) -> None:
    found = answers({"y": np.asarray(output)})
    assert (None if found is None else found.tolist()) == said
