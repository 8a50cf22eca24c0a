"""Latency, quality and size at once: what nothing else beats, and the best for given limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.bench.stats import DELTA
from engine.quality.figures import accuracy, agreement
from engine.reports import words
from engine.reports.model import Report, ReportArtifact
from engine.reports.quality import losses as accuracy_losses
from engine.reports.tables import Table
from engine.reports.variants import VariantFigures, at_smallest_batch

_ALIKE = 1.1
_NO_LOSS = 0.05
"""Sizes within a tenth of each other and losses below this, in per cent, are no tradeoff."""


@dataclass(frozen=True, slots=True)
class Point:
    """One artifact at the smallest batch. Latency in ms, size in MiB.

    ``loss`` is in per cent, of what ``Tradeoff.loss_name`` says; None where it is not known.
    ``unbeaten``: nothing measured is at least as good in all three and better in one. ``lost`` says
    what accuracy has surely gone, where more has than a person would take for the same model.
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
    if alike and max(loss or 0.0 for loss in losses.values()) <= _NO_LOSS:
        return None
    gone = accuracy_losses(report)
    places = [(v.typical_ms, v.size_mib, losses[v.artifact_id]) for v in here]
    points = tuple(
        Point(
            artifact_id=v.artifact_id,
            name=v.name,
            colour=v.colour,
            is_original=v.is_original,
            latency_ms=v.typical_ms,
            size_mib=v.size_mib,
            loss=losses[v.artifact_id],
            unbeaten=not any(_beats(other, place) for other in places),
            lost=gone.get(v.artifact_id, ""),
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


def _losses(artifacts: list[ReportArtifact]) -> tuple[str, dict[str, float | None]]:
    """What the loss is counted in, and the loss of each artifact; the original has none.

    Accuracy on labelled samples where there are any, since that is what a person wants to keep.
    """
    of: Callable[[ReportArtifact], float | None]
    if any(_accuracy_loss(artifact) is not None for artifact in artifacts):
        name, of = "points of accuracy on labelled samples", _accuracy_loss
    elif any(_read(artifact) is not None for artifact in artifacts):
        name, of = "perplexity above the original's, %", _perplexity_loss
    else:
        name, of = "answers that differ from the original's, %", _disagreement
    return name, {a.id: 0.0 if a.is_original else of(a) for a in artifacts}


def _accuracy_loss(artifact: ReportArtifact) -> float | None:
    """What was lost is lost; what was won by chance is no negative loss."""
    judged = [accuracy(found) for found in artifact.quality]
    losses = [-100 * found.difference for found in judged if found is not None]
    return max(0.0, *losses) if losses else None


def _read(artifact: ReportArtifact) -> float | None:
    """The ratio of perplexities on the person's own text, else on the one that comes with Assay."""
    own = [found.language for found in artifact.quality]
    gate = artifact.verification.language if artifact.verification else None
    ratios = (read.perplexity_ratio for read in (*own, gate) if read is not None)
    return next((ratio for ratio in ratios if ratio is not None), None)


def _perplexity_loss(artifact: ReportArtifact) -> float | None:
    ratio = _read(artifact)
    return None if ratio is None else max(0.0, 100 * (ratio - 1))


def _disagreement(artifact: ReportArtifact) -> float | None:
    """On the person's own samples, where there are any; else on what the gate tried."""
    shares = [agreement(found) for found in artifact.quality]
    own = next((share.value for share in shares if share is not None), None)
    gate = artifact.verification.top1_agreement if artifact.verification else None
    agreed = gate if own is None else own
    return None if agreed is None else 100 * (1 - agreed)


def _table(name: str, points: tuple[Point, ...]) -> Table:
    return Table(
        "Latency, quality and size together",
        ("Artifact", "Median, ms", f"Loss: {name}", "File, MiB", "Beaten"),
        tuple(
            (
                point.name,
                words.number(point.latency_ms),
                "not known" if point.loss is None else words.number(point.loss),
                words.number(point.size_mib),
                "by none" if point.unbeaten else "by another",
            )
            for point in points
        ),
        "Beaten: another one is at least as good in latency (within 3 %), loss and size, and "
        "better in one.",
    )


def _sentence(points: tuple[Point, ...]) -> str:
    names = ", ".join(point.name for point in points if point.unbeaten)
    lossy = "".join(f" {point.name} loses {point.lost}." for point in points if point.lost)
    return f"Beaten by none in latency, quality and size together: {names}.{lossy}"
