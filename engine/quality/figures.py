"""What the answers say: accuracy before and after, or how often the two agree. In words, too."""

from __future__ import annotations

from dataclasses import dataclass

from engine.quality.model import Quality
from engine.quality.stats import mcnemar, paired_interval
from engine.verify.groups import share_by_groups
from engine.verify.model import FEW
from engine.verify.wilson import wilson

Interval = tuple[float, float]
MOST_LOST = 0.05
"""The share of answers an artifact may lose before it is no longer the same model to a person."""
SURE = 0.05
"""McNemar's p below which a loss is not put down to chance."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share that was counted, with its 95 % interval; both from 0 to 1.

    The interval is Wilson's; where a sample has several answers, it is by whole samples.
    """

    right: int
    of: int
    interval: Interval

    @property
    def value(self) -> float:
        """The share itself."""
        return self.right / self.of


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Both on the same labelled samples. ``difference`` is after minus before, from -1 to 1.

    ``lost`` and ``won`` count the samples that only the original, or only the artifact, got right;
    ``p`` is McNemar's, exact: small where so uneven a split is hardly chance.
    """

    before: Share
    after: Share
    difference: float
    interval: Interval
    lost: int
    won: int
    p: float


def accuracy(found: Quality) -> Accuracy | None:
    """Accuracy before and after; None without labels."""
    if found.labels is None or found.error or not found.labels:
        return None
    pairs = [
        (before == label, after == label)
        for label, before, after in zip(found.labels, found.original, found.answers, strict=True)
    ]
    count = {
        pair: pairs.count(pair) for pair in ((a, b) for a in (True, False) for b in (True, False))
    }
    lost, won = count[True, False], count[False, True]
    before, after = count[True, True] + lost, count[True, True] + won
    return Accuracy(
        before=_share(before, len(pairs)),
        after=_share(after, len(pairs)),
        difference=(after - before) / len(pairs),
        interval=paired_interval(count[True, True], lost, won, count[False, False]),
        lost=lost,
        won=won,
        p=mcnemar(lost, won),
    )


def agreement(found: Quality) -> Share | None:
    """How often the artifact gives the original's answer; None for what gives no classes."""
    if found.error or not found.original:
        return None
    same = [a == b for a, b in zip(found.original, found.answers, strict=True)]
    if found.places == 1:
        return _share(sum(same), len(same))
    starts = range(0, len(same), found.places)
    right = [sum(same[start : start + found.places]) for start in starts]
    interval = share_by_groups(right, [found.places] * len(right))
    return Share(sum(right), len(same), interval)


def lost(found: Quality) -> str:
    """The accuracy that has surely gone: ``"12.0 points of accuracy on digits"``.

    Empty where the loss may be chance (``SURE``), may be no more than ``MOST_LOST`` (the whole
    interval has to lie beyond it), or cannot be told without labels.
    """
    judged = accuracy(found)
    if judged is None or judged.p >= SURE or judged.interval[1] >= -MOST_LOST:
        return ""
    return f"{-100 * judged.difference:.1f} points of accuracy on {found.data_name}"


def warning(found: Quality) -> str:
    """What to know before taking an artifact that lost accuracy; empty where it has not."""
    gone = lost(found)
    if not gone:
        return ""
    return (
        f"Loses {gone}, surely more than {100 * MOST_LOST:g}: the verdict speaks of numbers, "
        "accuracy says whether it is of use."
    )


def sentence(found: Quality) -> str:
    """What came of it, in one line of words with their intervals."""
    on = f"{found.samples:,} {found.noun} of {found.data_name}"
    if found.samples < found.of:
        on = f"the first {found.samples:,} of {found.of:,} {found.noun} of {found.data_name}"
    if found.error:
        return f"It fails on {on}: {found.error}"
    if found.language:
        return _of_language(found, on)
    if (judged := accuracy(found)) is not None:
        low, high = judged.interval
        return (
            f"Accuracy {_percent(judged.before.value)} → {_percent(judged.after.value)} "
            f"({_points(judged.difference)} points [{_points(low)}, {_points(high)}], McNemar "
            f"p = {_p(judged.p)}; {on})"
        )
    same = agreement(found)
    assert same is not None, "quality without answers"
    low, high = same.interval
    many = f"{found.places} places each of " if found.places > 1 else ""
    if found.places > 1:
        few = ", so few that it is wide" if found.samples < FEW else ""
        on = f"{on}; the interval is by {found.noun}{few}"
    return (
        f"The same likeliest answer as the original {_percent(same.value)} "
        f"[{low * 100:.1f}, {high * 100:.1f}] of the time ({many}{on})"
    )


def _of_language(found: Quality, on: str) -> str:
    read = found.language
    assert read is not None
    if read.error:
        return f"It fails on {on}: {read.error}"
    ratio, kl = read.perplexity_ratio, read.kl_mean
    shares = [100 * bound for bound in read.top1_interval or ()]
    share = " [{:.1f}, {:.1f}]".format(*shares) if shares else ""
    bounds = "" if read.ratio_interval is None else " [{:.4f}, {:.4f}]".format(*read.ratio_interval)
    return (
        f"Perplexity {'not finite' if ratio is None else f'{ratio:.4f}'} times the original's"
        f"{bounds}, the next word's chances diverge by "
        f"{'an infinite amount' if kl is None else f'{kl:.2g} nats'}, the same likeliest word "
        f"{_percent(read.top1_share)}{share} of the time ({read.places:,} places; {on}; intervals "
        f"{read.intervals})"
    )


def _share(right: int, of: int) -> Share:
    return Share(right, of, wilson(right, of))


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def _points(share: float) -> str:
    """Signed percentage points; what rounds to nothing has no sign."""
    text = f"{share * 100:+.1f}".replace("-", "−")
    return "0.0" if text in ("+0.0", "−0.0") else text


def _p(value: float) -> str:
    return f"{value:.1e}" if value < 0.001 else f"{value:.2g}"
