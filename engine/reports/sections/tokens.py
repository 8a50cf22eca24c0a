"""Language models: the first token and the next, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, log
from statistics import fmean, median

import numpy as np

from engine.bench import stats
from engine.bench.observations import Writing
from engine.reports import words
from engine.reports.model import Report
from engine.reports.sections.model import Plot, Section, Series
from engine.reports.tables import Table
from engine.reports.variants import VariantFigures, variant_figures

PLACE = 44
_MS, _S, _MIB = 1e6, 1e9, 1024**2
_HOW = (
    "Greedy, one text at a time, seeded tokens, and so many as were planned whatever they are: an "
    "end mark does not end it. Making tokens of text and text of tokens is not in the times; "
    "picking the likeliest token is. Reading: prompt tokens over the time to the first token. "
    "Writing: the tokens after the first over the time they took. Rates are geometric means over "
    "processes. Brackets are 95 % intervals over processes. Memory: the kernel's peak (VmHWM) "
    "while writing, above the import of the framework. Load: the median."
)


@dataclass(frozen=True, slots=True)
class _Row:
    """What one variant did after prompts of one length."""

    variant: VariantFigures
    prompt: int
    found: tuple[Writing, ...]

    def first(self, share: float) -> stats.Percentile:
        """Of the times to the first token, ms."""
        return stats.percentile([np.array(one.first_ns) / _MS for one in self.found], share)

    def next(self, share: float) -> stats.Percentile:
        """Of the times from one token to the next, ms."""
        blocks = [np.concatenate(one.next_ns) / _MS for one in self.found]
        return stats.percentile(blocks, share)

    def reading(self) -> str:
        """Prompt tokens a second."""
        return _rate([one.prompt_tokens * _S / fmean(one.first_ns) for one in self.found])

    def writing(self) -> str:
        """Tokens a second after the first."""
        return _rate(
            [_S / fmean(ns for steps in one.next_ns for ns in steps) for one in self.found]
        )


def section(report: Report) -> Section | None:
    """Every variant that wrote, after prompts of each length."""
    if report.measurement is None or not report.measurement.tokens:
        return None
    written = report.measurement.tokens
    lengths = sorted({one.prompt_tokens for one in written}, reverse=True)
    variants = variant_figures(report)
    rows = [
        _Row(variant, length, own)
        for length in lengths
        for variant in variants
        if (
            own := tuple(
                w for w in written if (w.variant, w.prompt_tokens) == (variant.key, length)
            )
        )
    ]
    if not rows:
        return None
    return Section(
        name="tokens",
        title="First and next tokens",
        caption="How long a language model takes to read a prompt and give its first token, and "
        f"from each token to the next, by the length of the prompt ({_listed(lengths)} tokens).",
        plots=(
            _plot(rows, "First token, ms", lambda row: row.first(0.5)),
            _plot(rows, "Next token, ms", lambda row: row.next(0.5)),
        ),
        table=Table(
            "First and next tokens",
            (
                *("Variant", "Prompt, tokens", "First token, ms"),
                *("Next token p50, ms", "Next token p90, ms", "Next token p99, ms"),
                *("Reading, tokens/s", "Writing, tokens/s", "Load, s", "Memory, MiB"),
                *("Tokens a writing", "Writings", "Processes"),
            ),
            tuple(map(_cells, rows)),
            _HOW,
        ),
        notes=_notes(rows),
    )


def _cells(row: _Row) -> tuple[str, ...]:
    own = row.found
    counts = [1 + len(steps) for one in own for steps in one.next_ns]
    fewest, most = min(counts), max(counts)
    return (
        row.variant.name,
        f"{row.prompt}",
        words.percentile(row.first(0.5)),
        *(words.percentile(row.next(share)) for share in (0.5, 0.9, 0.99)),
        row.reading(),
        row.writing(),
        words.number(median(one.load_ns for one in own) / _S),
        words.number(median(max(0, one.peak_bytes - one.imported_bytes) for one in own) / _MIB),
        f"{most}" if fewest == most else f"{fewest} to {most}",
        f"{len(counts)}",
        f"{len(own)}",
    )


def _rate(rates: Sequence[float]) -> str:
    """The geometric mean of the processes' rates with its interval."""
    middle, low, high = map(exp, stats.mean([log(rate) for rate in rates]))
    return words.number(middle) if len(rates) < 2 else words.interval(middle, low, high)


def _plot(rows: Sequence[_Row], y_title: str, of: Callable[[_Row], stats.Percentile]) -> Plot:
    """A line a variant, over the lengths of the prompt."""
    by_variant: dict[str, list[_Row]] = {}
    for row in reversed(rows):
        by_variant.setdefault(row.variant.key, []).append(row)
    series = []
    for own in reversed(by_variant.values()):
        found = [of(row) for row in own]
        series.append(
            Series(
                own[0].variant.name,
                own[0].variant.colour,
                tuple(row.prompt for row in own),
                tuple(one.value for one in found),
                tuple(one.low for one in found),
                tuple(one.high for one in found),
            )
        )
    several = any(len(own) > 1 for own in by_variant.values())
    return Plot(
        "curves" if several else "points",
        "Tokens of the prompt",
        y_title,
        tuple(series),
        _alt(rows, y_title.partition(",")[0].lower(), of),
        y_log=True,
    )


def _alt(rows: Sequence[_Row], what: str, of: Callable[[_Row], stats.Percentile]) -> str:
    """Who is first and who is last after the longest prompt."""
    known = [
        (value, row.variant.name)
        for row in rows
        if row.prompt == rows[0].prompt and (value := of(row).value) is not None
    ]
    if not known:
        return f"Too few writings to say how long the {what} takes."
    quickest, slowest = min(known), max(known)
    said = (
        f"After a prompt of {rows[0].prompt} tokens, the {what} takes {quickest[1]} "
        f"{words.number(quickest[0])} ms"
    )
    if slowest[1] != quickest[1]:
        said += f", and {slowest[1]} {words.number(slowest[0])} ms"
    return f"{said}."


def _notes(rows: Sequence[_Row]) -> tuple[str, ...]:
    """By what each variant writes; those alike in one sentence."""
    manners: dict[str, list[str]] = {}
    for row in rows:
        names = manners.setdefault(row.found[0].manner, [])
        if row.variant.name not in names:
            names.append(row.variant.name)
    return tuple(f"{', '.join(names)}: {manner}." for manner, names in manners.items())


def _listed(lengths: Sequence[int]) -> str:
    return " and ".join(map(str, lengths))
