"""The founding document's promises, held against this measurement one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.knowledge import Claim, claims
from engine.knowledge.guides import format_label
from engine.reports import words
from engine.reports.model import Report, ReportArtifact
from engine.reports.tables import Table
from engine.reports.variants import VariantFigures, at_smallest_batch

Kept = Literal["confirmed", "contradicted", "not decided", "not measurable here"]


@dataclass(frozen=True, slots=True)
class Promise:
    """One claim against one variant; ``variant`` is empty where nothing here could test it.

    ``measured`` is the figure in the claim's own form, in words.
    """

    claim: Claim
    variant: str
    measured: str
    outcome: Kept


@dataclass(frozen=True, slots=True)
class _Figure:
    """A figure in the form of its claim. Without an interval ``low`` and ``high`` are the value."""

    low: float
    high: float
    said: str


def promises(report: Report, variants: tuple[VariantFigures, ...]) -> tuple[Promise, ...]:
    """Every claim: for each variant of its format that it speaks of, or once with the reason."""
    return tuple(promise for claim in claims() for promise in _of_claim(claim, report, variants))


def promise_table(found: tuple[Promise, ...]) -> Table:
    """The claims check, those that could be tested first."""
    order = sorted(found, key=lambda promise: not promise.variant)
    return Table(
        "The founding document's claims, checked",
        ("Claim", "Of", "Source", "Measured here with", "Measured", "Outcome"),
        tuple(
            (
                promise.claim.text,
                format_label(promise.claim.format),
                "founding document",
                promise.variant or "–",
                promise.measured,
                promise.outcome,
            )
            for promise in order
        ),
        "A claim is confirmed when the measured figure (its 95 % interval, where it has one) "
        "reaches the claimed range, and contradicted when it lies wholly below it. Claims are "
        "about a format as it comes: passes on top of it do not count for or against it. Size, "
        "memory and load have no interval; of a language model's accuracy the rise of its "
        "perplexity is what is measured.",
    )


_OF_TIME = ("latency", "throughput")
"""What a restless machine says nothing about."""


def _of_claim(
    claim: Claim, report: Report, variants: tuple[VariantFigures, ...]
) -> tuple[Promise, ...]:
    def untested(why: str) -> tuple[Promise, ...]:
        return (Promise(claim, "", why, "not measurable here"),)

    if claim.device == "gpu":
        return untested("It is about a GPU, where no eager PyTorch is measured to hold it against.")
    here = at_smallest_batch(variants)
    original = next((v for v in here if v.is_original), None)
    if original is None or original.format != "torch":
        return untested("The claim is against eager PyTorch, which was not measured here.")
    made = {artifact.id: artifact for artifact in report.artifacts}
    fitting = [v for v in here if _speaks_of(claim, made[v.artifact_id]) and v is not original]
    if not fitting:
        return untested(f"No plain {format_label(claim.format)} was measured in this report.")
    return tuple(_held(claim, v, original, made[v.artifact_id]) for v in fitting)


def _speaks_of(claim: Claim, artifact: ReportArtifact) -> bool:
    """A claim about a quality names the type it is for; others are about the format as it comes."""
    if artifact.format != claim.format or artifact.passes:
        return False
    return claim.quantity != "quality" or "Q4_0" in artifact.variant


def _held(
    claim: Claim, variant: VariantFigures, original: VariantFigures, artifact: ReportArtifact
) -> Promise:
    figure = _measured(claim, variant, original, artifact)
    if figure is None:
        return Promise(claim, variant.name, "not measured", "not measurable here")
    restless = claim.quantity in _OF_TIME and "D" in (variant.grade, original.grade)
    outcome: Kept = "not decided" if restless else _outcome(claim, figure)
    return Promise(claim, variant.name, figure.said, outcome)


def _outcome(claim: Claim, figure: _Figure) -> Kept:
    if claim.low is None or claim.high is None:  # a statement: better, or not
        return "confirmed" if figure.low > 1 else "contradicted"
    if claim.quantity == "quality":  # a loss: at most so much
        return _within_loss(claim.high, figure)
    if figure.low >= claim.low:
        return "confirmed"
    return "contradicted" if figure.high < claim.low else "not decided"


def _within_loss(most: float, figure: _Figure) -> Kept:
    if figure.high <= most:
        return "confirmed"
    return "contradicted" if figure.low > most else "not decided"


def _measured(
    claim: Claim, variant: VariantFigures, original: VariantFigures, artifact: ReportArtifact
) -> _Figure | None:
    """The variant's figure in the form of the claim; None where it was not measured."""
    if claim.quantity == "quality":
        return _perplexity(artifact)
    if claim.quantity in ("latency", "throughput"):
        ratio = variant.ratio
        if ratio is None:
            return None
        return _Figure(ratio.low, ratio.high, f"{words.times(ratio)} as fast")
    pairs = {
        "size": (original.size_mib, variant.size_mib),
        "memory": (original.memory_mib, variant.memory_mib),
        "load": (original.load_s.value, variant.load_s.value),
    }
    before, after = pairs[claim.quantity]
    if not before or not after:
        return None
    if claim.form == "fraction_less":
        less = 1 - after / before
        said = f"{words.share(abs(less))} {'less' if less >= 0 else 'more'}"
        return _Figure(less, less, said)
    times = before / after
    return _Figure(
        times, times, f"{times:.2f}× better" if times >= 1 else f"{1 / times:.2f}× worse"
    )


def _perplexity(artifact: ReportArtifact) -> _Figure | None:
    """How much more unsure a language model became on a text: the share its perplexity rose."""
    read = artifact.verification.language if artifact.verification else None
    if read is None or read.perplexity_ratio is None:
        return None
    low, high = read.ratio_interval or (read.perplexity_ratio, read.perplexity_ratio)
    said = f"perplexity {words.share(read.perplexity_ratio - 1, 1)} higher"
    return _Figure(low - 1, high - 1, f"{said} [{100 * low - 100:.1f}, {100 * high - 100:.1f}]")
