"""Latency, quality and size at once: what nothing else beats, and the best for given limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.bench.stats import DELTA
from engine.quality.figures import Interval, accuracy, agreement
from engine.reports import words
from engine.reports.model import Report, ReportArtifact
from engine.reports.quality import losses as accuracy_losses
from engine.reports.tables import Table
from engine.reports.variants import VariantFigures, at_smallest_batch

_ALIKE = 1.1
_NO_LOSS = 0.05
"""Sizes within a tenth of each other and losses below this, in per cent, are no tradeoff."""


_Loss = tuple[float | None, Interval | None]
"""A loss and its 95 % interval, in per cent; None where it is not known."""


@dataclass(frozen=True, slots=True)
class Point:
    """One artifact at the smallest batch. Latency in ms, size in MiB.

    ``loss`` is in per cent, of what ``Tradeoff.loss_name`` says; None where it is not known.
    ``unbeaten``: nothing measured is at least as good in all three and better in one. ``lost`` says
    what accuracy has surely gone, where more has than a person would take for the same model.
    ``loss_interval`` and ``latency_interval`` are the 95 % intervals, where there are any.
    """

    artifact_id: str
    name: str
    colour: int
    is_original: bool
    latency_ms: float
    size_mib: float
    loss: float | None
    unbeaten: bool
    lost: str = ""
    loss_interval: Interval | None = None
    latency_interval: Interval | None = None

    def unsure(self, most_loss: float | None, most_ms: float | None) -> str:
        """Which limit an interval of it reaches beyond, in words; empty where none does."""
        beyond = []
        if most_loss is not None and self.loss_interval and self.loss_interval[1] > most_loss:
            beyond.append(f"its loss may be up to {words.number(self.loss_interval[1])} %")
        if most_ms is not None and self.latency_interval and self.latency_interval[1] > most_ms:
            beyond.append(f"its median up to {words.number(self.latency_interval[1])} ms")
        return " and ".join(beyond)


@dataclass(frozen=True, slots=True)
class Tradeoff:
    """The points, and in what the loss of quality is counted."""

    loss_name: str
    points: tuple[Point, ...]
    table: Table
    sentence: str


def tradeoff(report: Report, variants: tuple[VariantFigures, ...]) -> Tradeoff | None:
    """None where nothing is given for what is gained: all alike in size and in quality."""
    here = at_smallest_batch(variants)
    if len(here) < 2:
        return None
    made = {artifact.id: artifact for artifact in report.artifacts}
    name, losses = _losses([made[v.artifact_id] for v in here])
    alike = max(v.size_mib for v in here) <= _ALIKE * min(v.size_mib for v in here)
    if alike and max(loss or 0.0 for loss, _ in losses.values()) <= _NO_LOSS:
        return None
    gone = accuracy_losses(report)
    places = [(v.typical_ms, v.size_mib, losses[v.artifact_id][0]) for v in here]
    points = tuple(
        Point(
            artifact_id=v.artifact_id,
            name=v.name,
            colour=v.colour,
            is_original=v.is_original,
            latency_ms=v.typical_ms,
            size_mib=v.size_mib,
            loss=losses[v.artifact_id][0],
            unbeaten=not any(_beats(other, place) for other in places),
            lost=gone.get(v.artifact_id, ""),
            loss_interval=losses[v.artifact_id][1],
            latency_interval=_bounds(v.p50.low, v.p50.high),
        )
        for v, place in zip(here, places, strict=True)
    )
    return Tradeoff(name, points, _table(name, points), _sentence(points))


def best_for(
    found: Tradeoff, *, most_loss: float | None = None, most_ms: float | None = None
) -> Point | None:
    """The smallest of those within both limits, the faster of two as small; None if none is.

    ``most_loss`` is in per cent; a point of unknown loss is within no limit.
    """
    fitting = [
        point
        for point in found.points
        if (most_ms is None or point.latency_ms <= most_ms)
        and (most_loss is None or (point.loss is not None and point.loss <= most_loss))
    ]
    return min(fitting, key=lambda point: (point.size_mib, point.latency_ms), default=None)


_UNKNOWN: _Loss = (None, None)
_Place = tuple[float, float, float | None]


def _beats(other: _Place, this: _Place) -> bool:
    """Whether it is no worse in anything that both know, and better in something.

    Latencies within 3 % are alike: what is between them may be noise.
    """
    if (other[2] is None) != (this[2] is None):
        return False
    rest = [
        (a, b) for a, b in zip(other[1:], this[1:], strict=True) if a is not None and b is not None
    ]
    faster = other[0] < this[0] * (1 - DELTA)
    as_fast = other[0] <= this[0] * (1 + DELTA)
    return as_fast and all(a <= b for a, b in rest) and (faster or any(a < b for a, b in rest))


def _losses(artifacts: list[ReportArtifact]) -> tuple[str, dict[str, _Loss]]:
    """What the loss is counted in, and the loss of each artifact; the original has none.

    Accuracy on labelled samples where there are any, since that is what a person wants to keep.
    """
    of: Callable[[ReportArtifact], _Loss]
    if any(_accuracy_loss(artifact) != _UNKNOWN for artifact in artifacts):
        name, of = "points of accuracy on labelled samples", _accuracy_loss
    elif any(_perplexity_loss(artifact) != _UNKNOWN for artifact in artifacts):
        name, of = "perplexity above the original's, %", _perplexity_loss
    else:
        name, of = "answers that differ from the original's, %", _disagreement
    return name, {a.id: (0.0, None) if a.is_original else of(a) for a in artifacts}


def _accuracy_loss(artifact: ReportArtifact) -> _Loss:
    """The worst of its data sets. What was won by chance is no negative loss."""
    judged = [found for one in artifact.quality if (found := accuracy(one)) is not None]
    if not judged:
        return _UNKNOWN
    worst = min(judged, key=lambda found: found.difference)
    low, high = worst.interval
    return _at_least_none(-worst.difference, (-high, -low))


def _perplexity_loss(artifact: ReportArtifact) -> _Loss:
    """On the person's own text, else on the one that comes with Assay."""
    own = [found.language for found in artifact.quality]
    gate = artifact.verification.language if artifact.verification else None
    for read in (*own, gate):
        if read is not None and (ratio := read.perplexity_ratio) is not None:
            bounds = read.ratio_interval
            return _at_least_none(ratio - 1, bounds and (bounds[0] - 1, bounds[1] - 1))
    return _UNKNOWN


def _disagreement(artifact: ReportArtifact) -> _Loss:
    """On the person's own samples, where there are any; else on what the gate tried."""
    shares = [share for one in artifact.quality if (share := agreement(one)) is not None]
    if shares:
        low, high = shares[0].interval
        return _at_least_none(1 - shares[0].value, (1 - high, 1 - low))
    gate = artifact.verification
    if gate is None or gate.top1_agreement is None:
        return _UNKNOWN
    bounds = gate.top1_interval
    return _at_least_none(1 - gate.top1_agreement, bounds and (1 - bounds[1], 1 - bounds[0]))


def _at_least_none(share: float, interval: Interval | None) -> _Loss:
    """In per cent, nothing below nothing."""
    bounds = interval and (max(0.0, 100 * interval[0]), max(0.0, 100 * interval[1]))
    return max(0.0, 100 * share), bounds


def _bounds(low: float | None, high: float | None) -> Interval | None:
    return None if low is None or high is None else (low, high)


def _table(name: str, points: tuple[Point, ...]) -> Table:
    return Table(
        "Latency, quality and size together",
        ("Artifact", "Median, ms", f"Loss: {name}", "File, MiB", "Beaten"),
        tuple(
            (
                point.name,
                words.interval(point.latency_ms, *(point.latency_interval or (None, None))),
                "not known" if point.loss is None else _with_bounds(point),
                words.number(point.size_mib),
                "by none" if point.unbeaten else "by another",
            )
            for point in points
        ),
        "Beaten: another one is at least as good in latency (within 3 %), loss and size, and "
        "better in one.",
    )


def _with_bounds(point: Point) -> str:
    """``0.28 [0.00, 1.53]``: hundredths of a per cent are all that counts."""
    assert point.loss is not None
    if point.loss_interval is None:
        return f"{point.loss:.2f}"
    return f"{point.loss:.2f} [{point.loss_interval[0]:.2f}, {point.loss_interval[1]:.2f}]"


def _sentence(points: tuple[Point, ...]) -> str:
    names = ", ".join(point.name for point in points if point.unbeaten)
    lossy = "".join(f" {point.name} loses {point.lost}." for point in points if point.lost)
    return f"Beaten by none in latency, quality and size together: {names}.{lossy}"
