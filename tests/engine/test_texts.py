"""No sentence is used twice."""

from __future__ import annotations

from engine import texts


def test_what_weights_are_weighed_on_shares_no_sentence_with_what_judges() -> None:
    ours, judging = texts.hashes(texts.shipped()), texts.hashes(texts.held_out())
    assert len(ours) > 400 and len(judging) > 50
    assert not ours & judging
    assert list(texts.without([texts.shipped()], judging)) == [texts.shipped()]


def test_sentences_are_known_whatever_their_case_and_spaces() -> None:
    judging = texts.hashes("The station at the end has one clock. Trains come twice a day!")
    mine = "Mine stays here as it was.  TRAINS come\ttwice a day. Yes. And this, too, stays.\n"
    assert list(texts.without([mine], judging)) == [
        "Mine stays here as it was.  Yes. And this, too, stays.\n"
    ]
    assert not list(texts.without(["The station at the end has one clock."], judging))


def test_very_short_sentences_are_anybody_s() -> None:
    assert texts.hashes("Yes. No, not now.") == frozenset()
