"""What a report measured of the kind that a column of a published table prints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from engine.bench import stats
from engine.bench.evidence import gate_failures
from engine.bench.model import Measurement
from engine.bench.observations import Writing
from engine.bench.stats import UNDECIDED, Percentile, Ratio
from engine.bench.verdicts import delta_of, kept, level_of
from engine.knowledge import ReferenceColumn, ReferenceTable
from engine.reports.recommendation import BUSY_LIMIT, waited
from engine.reports.variants import VariantFigures

_MS = 1e6
_BYTES = {"MB": 1e6, "GB": 1e9}


@dataclass(frozen=True, slots=True)
class Observed:
    """One variant's figure in the column's unit, less being better.

    ``by_turn`` is what it is made of, by round or process: what two variants have of the same turn
    was measured close together. ``decides`` is False where it was too restless to judge by.
    """

    variant: VariantFigures
    value: Percentile
    by_turn: Mapping[int, float]
    decides: bool = True


@dataclass(frozen=True, slots=True)
class Observations:
    """Every variant that has a figure of the kind, in the order of the plan.

    ``sequence``: tokens of the prompt, None where the figure is not of prompts.
    """

    found: tuple[Observed, ...]
    sequence: int | None
    delta: float
    level: float

    def ratio(self, first: Observed, second: Observed) -> Ratio | None:
        """How many times less the second takes, over the turns both have; None without two."""
        both = sorted(first.by_turn.keys() & second.by_turn.keys())
        found = stats.ratio(
            [first.by_turn[turn] for turn in both],
            [second.by_turn[turn] for turn in both],
            delta=self.delta,
            level=self.level,
        )
        if found is not None and not (first.decides and second.decides):
            return replace(found, verdict=UNDECIDED, rounds_needed=None)
        return found


def observed(
    measurement: Measurement,
    variants: Sequence[VariantFigures],
    table: ReferenceTable,
    column: ReferenceColumn,
) -> Observations:
    """What was measured of the column's kind: empty where nothing was.

    Latency counts on the kind of device the column names; of tokens, those after a prompt as long
    as the table's, or else after the longest. A language model whose tokens were timed has no
    latency to hold against a table of one inference.
    """
    sequence = None
    if column.quantity in _TOKENS:
        sequence = _prompt(measurement.tokens, table.sequence)
        found = _tokens(measurement, variants, sequence, _TOKENS[column.quantity])
    elif column.quantity == "memory":
        found = _memory(measurement, variants, _BYTES[column.unit])
    else:
        found = [] if measurement.tokens else _latency(measurement, variants, column.device)
    return Observations(tuple(found), sequence, delta_of(measurement), level_of(measurement))


def _latency(
    measurement: Measurement, variants: Sequence[VariantFigures], device: str | None
) -> list[Observed]:
    """Medians in ms by round, of what ran on such a device."""
    quiet = waited(measurement) <= BUSY_LIMIT
    found = []
    for variant in variants:
        blocks = kept(measurement.blocks, variant.key)
        if device not in (None, "gpu" if any(block.gpu for block in blocks) else "cpu"):
            continue
        value = variant.p50
        if value.value is None:
            value = variant.mean
        medians = {block.round: median(block.samples_ns) / _MS for block in blocks}
        found.append(Observed(variant, value, medians, quiet and variant.grade != "D"))
    return found


def _memory(
    measurement: Measurement, variants: Sequence[VariantFigures], unit: float
) -> list[Observed]:
    """The peak above the imported framework, by pass: what the report calls memory."""
    found = []
    for variant in variants:
        own = [one for one in measurement.memory if one.variant == variant.key]
        peaks = {
            turn: one.above_baseline_bytes / unit
            for turn, one in enumerate(own)
            if one.above_baseline_bytes > 0
        }
        if peaks:
            middle = Percentile(median(peaks.values()), None, None)
            found.append(Observed(variant, middle, peaks))
    return found


def _tokens(
    measurement: Measurement,
    variants: Sequence[VariantFigures],
    prompt: int | None,
    times_of: Callable[[Writing], Sequence[int]],
) -> list[Observed]:
    """Medians in ms by process, after prompts of one length."""
    restless = bool(measurement.gate and gate_failures(measurement.gate[-1]))
    found = []
    for variant in variants:
        own = [
            np.array(times_of(one), dtype=float) / _MS
            for one in measurement.tokens
            if (one.variant, one.prompt_tokens) == (variant.key, prompt)
        ]
        value = stats.percentile(own, 0.5)
        if value.value is not None:
            medians = {turn: float(np.median(times)) for turn, times in enumerate(own)}
            grade = stats.grade(own, discarded=0, disturbed=False, gate_failed=restless)
            found.append(Observed(variant, value, medians, grade != "D"))
    return found


def _first(written: Writing) -> Sequence[int]:
    return written.first_ns


def _next(written: Writing) -> Sequence[int]:
    return [ns for steps in written.next_ns for ns in steps]


_TOKENS: Mapping[str, Callable[[Writing], Sequence[int]]] = {
    "time_to_first_token": _first,
    "time_per_token": _next,
}


def _prompt(written: Sequence[Writing], printed: int | None) -> int | None:
    lengths = {one.prompt_tokens for one in written}
    return printed if printed in lengths else max(lengths, default=None)
