"""What the measurement says of the recommendation: confirmed, contradicted, or not decided."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from engine.bench.evidence import OTHERS_LIMIT
from engine.bench.model import Measurement
from engine.bench.stats import Ratio
from engine.reports import words
from engine.reports.model import Advice, Report
from engine.reports.quality import losses
from engine.reports.variants import VariantFigures, at_smallest_batch, ratio_between

Outcome = Literal["confirmed", "contradicted", "not decided"]

BUSY_LIMIT = 0.1
"""Share of the time: above it other work, not the formats, may have made the difference."""


def waited(measurement: Measurement) -> float:
    """The median share of a kept block's time in which some process waited for a processor.

    None of it counts in a block beside which nobody else computed: there a model's own threads
    waited for each other.
    """
    shares = [
        0.0 if b.others_cpus is not None and b.others_cpus <= OTHERS_LIMIT else b.psi_share
        for b in measurement.blocks
        if not b.discarded and b.psi_share is not None
    ]
    return statistics.median(shares) if shares else 0.0


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The claim, what became of it, and the figures that decided."""

    title: str
    origin: str
    outcome: Outcome
    sentence: str


def recommendation(report: Report, variants: tuple[VariantFigures, ...]) -> Recommendation | None:
    """The claim held against the latencies at the smallest batch; None when none was made.

    Confirmed: faster than the original, and nothing measured is faster. Contradicted: something
    measured is faster. What surely loses accuracy neither is confirmed nor contradicts. Everything
    else is not decided, with the reason: figures of grade D in particular, from a machine too
    restless to judge by.
    """
    if report.advice is None:
        return None
    outcome, sentence = _judge(report, report.advice, variants)
    return Recommendation(report.advice.title, report.advice.origin, outcome, sentence)


def headline(
    report: Report, variants: tuple[VariantFigures, ...], claim: Recommendation | None
) -> str:
    """The one sentence that stands first: the figure that matters, and what it means."""
    smallest = at_smallest_batch(variants)
    subject = _recommended(report, smallest) or min(
        (v for v in smallest if v.ratio), key=lambda v: v.typical_ms, default=None
    )
    if subject is not None and subject.ratio is not None:
        compared = words.compared(subject.ratio, "the original")
        first = f"{subject.label} is {compared} where it was measured"
        if gone := losses(report).get(subject.artifact_id):
            first += f", but it loses {gone}"
    elif smallest:
        fastest = min(smallest, key=lambda v: v.typical_ms)
        first = f"{fastest.name} takes {words.percentile(fastest.p50)} ms where it was measured"
    else:
        first = "Nothing was measured"
    return f"{first}: {_meaning(claim)}." if claim else f"{first}."


def _meaning(claim: Recommendation) -> str:
    if claim.outcome == "not decided":
        return "the recommendation is not decided"
    return f"the recommendation is {claim.outcome}"


def _judge(
    report: Report, advice: Advice, variants: tuple[VariantFigures, ...]
) -> tuple[Outcome, str]:
    smallest = at_smallest_batch(variants)
    chosen = _recommended(report, smallest)
    if chosen is None or report.measurement is None:
        why = next(
            (why for key, why in report.failures.items() if key.partition(":")[0] == advice.format),
            "no artifact in that format was measured",
        )
        return "not decided", f"{advice.title} was not put to the test: {why.rstrip('.')}."
    others = [
        v for v in smallest if v.format != chosen.format or v.is_original > chosen.is_original
    ]
    restless = [v.name for v in (chosen, *(v for v in others if v.is_original)) if v.grade == "D"]
    if restless:
        return "not decided", (
            f"The machine was too restless to judge by: {', '.join(restless)} got noise grade D. "
            "Measure again when nothing else runs on it."
        )
    busy = waited(report.measurement)
    if busy > BUSY_LIMIT:
        return "not decided", (
            f"Other work held the processors up {busy:.0%} of the time, which can slow one format "
            "more than another. Measure again when nothing else runs there."
        )
    if not others:
        return "not decided", f"{chosen.name} was measured alone: there is nothing to compare."
    gone = losses(report)
    outcome, sentence = _by_latency(report.measurement, chosen, others, gone)
    if chosen.artifact_id not in gone:
        return outcome, sentence
    sentence = f"{sentence.rstrip('.')}, but it loses {gone[chosen.artifact_id]}."
    return ("not decided" if outcome == "confirmed" else outcome), sentence


def _by_latency(
    measurement: Measurement,
    chosen: VariantFigures,
    others: list[VariantFigures],
    gone: Mapping[str, str],
) -> tuple[Outcome, str]:
    """Against what is faster; nobody is advised to take what loses accuracy in its place."""
    faster = _faster_than(measurement, chosen, others)
    for other, ratio in faster:
        if other.artifact_id not in gone:
            return "contradicted", (
                f"{other.name} is {words.compared(ratio, f'the recommended {chosen.name}')} "
                f"(medians {words.percentile(other.p50)} and {words.percentile(chosen.p50)} ms)."
            )
    lossy = ", ".join(f"{other.name} {gone[other.artifact_id]}" for other, _ in faster)
    return _against_original(
        chosen,
        f"what is faster loses accuracy ({lossy})" if lossy else "nothing measured is faster",
    )


def _against_original(chosen: VariantFigures, beyond: str) -> tuple[Outcome, str]:
    """It stands against all others; is it faster than what one started from?"""
    if chosen.is_original:
        return "confirmed", f"{chosen.name} is recommended, and {beyond}."
    if chosen.ratio is None:
        return "not decided", "The original was not measured in enough rounds to compare with."
    if chosen.ratio.verdict == "faster":
        return "confirmed", (
            f"{chosen.name} is {words.compared(chosen.ratio, 'the original')}, and {beyond}."
        )
    return "not decided", (
        f"{chosen.name} against the original: {words.times(chosen.ratio)}, "
        f"{words.verdict(chosen.ratio)}. Latency does not speak for or against it."
    )


def _faster_than(
    measurement: Measurement, chosen: VariantFigures, others: list[VariantFigures]
) -> list[tuple[VariantFigures, Ratio]]:
    """The others that are surely faster than the chosen one, the fastest first."""
    found = []
    for other in others:
        ratio = ratio_between(measurement, chosen.key, other.key)
        if ratio is not None and ratio.verdict == "faster" and other.grade != "D":
            found.append((other, ratio))
    return sorted(found, key=lambda pair: -pair[1].value)


def _recommended(report: Report, variants: tuple[VariantFigures, ...]) -> VariantFigures | None:
    """The best that there is in the recommended format, since a format is what is recommended.

    What was made goes before the original, what keeps its accuracy before what surely loses some,
    then the faster one.
    """
    if report.advice is None:
        return None
    gone = losses(report)
    fitting = [v for v in variants if v.format == report.advice.format]
    return min(
        fitting,
        key=lambda v: (v.is_original, v.artifact_id in gone, v.typical_ms),
        default=None,
    )
