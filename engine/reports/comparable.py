"""How far a printed figure may be held against a measured one, and what the formats' order says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from engine.bench.stats import Ratio
from engine.knowledge import ReferenceTable
from engine.reports import words
from engine.reports.model import Report
from engine.reports.recommendation import BUSY_LIMIT, waited
from engine.reports.tables import Table
from engine.reports.variants import VariantFigures, ratio_between

_GOOD_TO = 1.1
"""A printed ratio is taken for good to a tenth, for printed figures carry no interval."""


@dataclass(frozen=True, slots=True)
class Match:
    """One condition of a figure there and here; ``same`` is None where either is not known."""

    aspect: str
    there: str | None
    here: str | None
    same: bool | None

    @property
    def words(self) -> str:
        """Whether it matches, and both sides where they are known to differ."""
        if self.same is None:
            silent = "the reference" if self.there is None else "this report"
            return f"unknown: {silent} does not say"
        return f"same ({self.here})" if self.same else f"differs: {self.there}, here {self.here}"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two formats, how they stand in the print (first over second, speed) and here."""

    faster: str
    slower: str
    printed: float
    measured: Ratio
    outcome: str

    @property
    def sentence(self) -> str:
        """The table's word, this machine's, and the outcome."""
        return (
            f"The table says {self.faster} is {self.printed:.2f}× {self.slower}; "
            f"here {words.times(self.measured)}: {self.outcome}."
        )


def matches(
    report: Report, table: ReferenceTable, precision: str | None, hardware: str | None, batch: int
) -> tuple[Match, ...]:
    """Every condition that a comparable figure would share, ``batch`` being the measured one's.

    Reports keep no precision of arithmetic and the tables no thread counts: they stay unknown.
    """
    assert report.measurement is not None
    cpu = str(report.measurement.environment.facts.get("Processor") or "") or None
    threads = ", ".join(
        dict.fromkeys(str(variant.threads) for variant in report.measurement.plan.variants)
    )
    found = [
        Match("CPU class", hardware, cpu, _same_cpu(hardware, cpu)),
        Match("Threads", None, threads, None),
        Match("Precision", precision, None, None),
        Match("Batch", _said(table.batch), str(batch), _same(table.batch, batch)),
    ]
    takes_tokens = any(spec.dtype.startswith("int") for spec in report.model.signature.inputs)
    if takes_tokens or table.sequence is not None:
        found.append(Match("Sequence length", _said(table.sequence), None, None))
    return tuple(found)


def comparability(title: str, rows: Sequence[tuple[str, tuple[Match, ...]]]) -> Table:
    """The score of every measured–reference pair: how many conditions match, and each by name."""
    aspects = tuple(match.aspect for match in rows[0][1]) if rows else ()
    return Table(
        f"{title}: how comparable",
        ("Row of the table", "Conditions that match", *aspects),
        tuple((label, _score(found), *(match.words for match in found)) for label, found in rows),
        "Milliseconds compare only where every condition matches; what is not known counts as no "
        "match.",
    )


def pairs(
    report: Report, rows: Sequence[tuple[str, float | None, VariantFigures | None]]
) -> tuple[Pair, ...]:
    """Every two rows (label, printed ms, what was measured) that both sides have."""
    assert report.measurement is not None
    noisy = waited(report.measurement) > BUSY_LIMIT
    found = []
    there = [(label, ms, here) for label, ms, here in rows if ms and here]
    for one, other in combinations(there, 2):
        (quick, quick_ms, first), (slow, slow_ms, second) = sorted((one, other), key=lambda r: r[1])
        if (first.batch, first.threads) != (second.batch, second.threads):
            continue
        ratio = ratio_between(report.measurement, second.key, first.key)
        if ratio is not None and first.key != second.key:
            said = slow_ms / quick_ms
            outcome = (
                "not decided"
                if noisy or "D" in (first.grade, second.grade)
                else outcome_of(said, ratio)
            )
            found.append(Pair(quick, slow, said, ratio, outcome))
    return tuple(found)


def outcome_of(printed: float, measured: Ratio) -> str:
    """Confirmed with the whole interval within a tenth of the print, contradicted wholly beyond."""
    low, high = printed / _GOOD_TO, printed * _GOOD_TO
    if low <= measured.low and measured.high <= high:
        return "confirmed"
    return "contradicted" if measured.high < low or measured.low > high else "not decided"


def _score(found: tuple[Match, ...]) -> str:
    unknown = sum(match.same is None for match in found)
    return f"{sum(match.same is True for match in found)} of {len(found)} ({unknown} unknown)"


def _same(there: int | None, here: int) -> bool | None:
    return None if there is None else there == here


def _same_cpu(there: str | None, here: str | None) -> bool | None:
    """Whether every word of the printed name is in the processor's own."""
    if there is None or not here:
        return None
    own = here.lower().replace("(r)", " ").replace("(tm)", " ").split()
    return all(word in own for word in there.lower().split())


def _said(value: int | None) -> str | None:
    return None if value is None else str(value)
