"""How a measurement was held, in words: its gate, rounds, floor and threads; what to know of it."""

from __future__ import annotations

from collections.abc import Iterator

from engine.bench import verdicts
from engine.bench.evidence import gate_failures
from engine.bench.model import Measurement
from engine.bench.stats import DELTA
from engine.reports import words
from engine.reports.model import Report
from engine.reports.variants import VariantFigures

_PREVIEW = 8
"""Processes a variant, below which a result is a preview."""


def protocol_rows(measurement: Measurement) -> tuple[tuple[str, str], ...]:
    """Every setting of a measurement with its value, as the environment table lists them."""
    plan = measurement.plan
    return (
        ("Protocol", plan.protocol),
        ("Preset", plan.preset.name),
        ("Rounds", _rounds(measurement)),
        ("Machine before timing", _gate(measurement)),
        ("Noise floor", _floor(measurement)),
        ("Called a difference from", words.share(verdicts.delta_of(measurement), 1)),
        ("Threads", ", ".join(_threads(measurement))),
        ("Batch", ", ".join(str(b) for b in sorted({v.batch for v in plan.variants}))),
        ("Seed", str(plan.seed)),
        ("Started", measurement.started_at),
        ("Took", words.seconds(measurement.seconds)),
    )


def protocol_warnings(report: Report, variants: tuple[VariantFigures, ...]) -> Iterator[str]:
    """What a reader must know of machine and models before believing the figures."""
    measurement = report.measurement
    if measurement is None:
        return
    if measurement.gate and (wrong := gate_failures(measurement.gate[-1])):
        yield f"Noisy machine: before timing {'; '.join(wrong)}. No figure is better than grade C."
    if noisy := [v.name for v in variants if v.grade == "D"]:
        yield (
            f"The machine was restless (grade D: {', '.join(noisy)}). The comparison is between "
            "neighbouring runs and says how sure it is; repeat it on a quiet machine before "
            "quoting the milliseconds."
        )
    if variants and variants[0].processes < _PREVIEW:
        yield (
            f"A preview from {variants[0].processes} processes a variant: differences below "
            f"{words.share(verdicts.delta_of(measurement))} are not told apart. "
            f"The standard preset settles differences down to {words.share(DELTA)}."
        )
    yield from _of_models(variants)
    discarded = {b.round: b.discarded for b in measurement.blocks if b.discarded}
    if discarded:
        rounds = ", ".join(str(index + 1) for index in sorted(discarded))
        yield (
            f"Discarded and replaced, whole: round {rounds}. Evidence from outside the models: "
            f"{'; '.join(dict.fromkeys(discarded.values()))}."
        )


def _of_models(variants: tuple[VariantFigures, ...]) -> Iterator[str]:
    for v in variants:
        if v.grows_bytes is not None:
            yield (
                f"{v.name} may leak: in every process its memory grew by about "
                f"{words.size(round(v.grows_bytes))} an inference."
            )
        if v.calls_per_sample > 1:
            yield (
                f"{v.name} answers faster than a clock can tell: every sample is the mean of up "
                f"to {v.calls_per_sample} calls, and its percentiles are of these means."
            )


def _rounds(measurement: Measurement) -> str:
    kept = len({b.round for b in measurement.blocks if not b.discarded})
    discarded = len({b.round for b in measurement.blocks if b.discarded})
    text = f"{kept} kept, {discarded} discarded"
    if measurement.stopped_at is not None:
        text += f" (of {measurement.plan.preset.rounds}: settled with 99 % confidence)"
    return text


def _gate(measurement: Measurement) -> str:
    if not measurement.gate:
        return "not looked at"
    wrong = gate_failures(measurement.gate[-1])
    looks = "one look" if len(measurement.gate) == 1 else f"{len(measurement.gate)} looks"
    return f"noisy after {looks}: {'; '.join(wrong)}" if wrong else f"at rest, {looks}"


def _floor(measurement: Measurement) -> str:
    own = verdicts.control_ratio(measurement.plan, measurement.blocks)
    if own is not None:
        return (
            f"±{words.share(verdicts.floor_share(own), 1)}; the original against itself, here: "
            f"{words.times(own)}"
        )
    floor = measurement.floor
    if floor is None:
        return "not known of this machine (a rigorous measurement finds it)"
    return f"±{words.share(floor.share, 1)}; {floor.rounds} rounds on {floor.measured_at[:10]}"


def _threads(measurement: Measurement) -> list[str]:
    held = sorted({(v.threads, v.pinned) for v in measurement.plan.variants})
    return [f"{count}, pinned" if pinned else str(count) for count, pinned in held]
