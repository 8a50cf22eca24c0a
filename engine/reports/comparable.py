"""How far a printed figure may be held against a measured one, and what the formats' order says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from engine import changes
from engine.bench.stats import UNDECIDED, Ratio
from engine.knowledge import ReferenceColumn, ReferenceTable, reference_tables
from engine.reports import words
from engine.reports.model import Report, ReportArtifact
from engine.reports.observed import Observations, Observed
from engine.reports.tables import Table

_GOOD_TO = 1.1
"""A printed ratio is taken for good to a tenth, for printed figures carry no interval."""

_ANSWERS_IN = {"float32": "fp32", "float16": "fp16"}


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
    """Two rows: how many times less ``better`` takes than ``worse``, in the print and here."""

    better: str
    worse: str
    quantity: str
    printed: float
    measured: Ratio
    outcome: str

    @property
    def sentence(self) -> str:
        """The table's word, this machine's, and the outcome."""
        said = f"{self.better} is {self.printed:.2f}× {self.worse}"
        if self.quantity == "memory":
            said = f"{self.worse} takes {self.printed:.2f}× the memory of {self.better}"
        return f"The table says {said}; here {words.times(self.measured)}: {self.outcome}."


def precision_of(artifact: ReportArtifact) -> str | None:
    """The precision by the name the tables have for it; None where a report does not tell.

    A pass says it, or the type its file is of (GGUF, TensorRT); eager PyTorch without a pass is
    taken by the type of its answers.
    """
    known = changes.passes()
    for change in reversed(artifact.passes):
        if change.name not in known:
            return None
        if known[change.name].kind == "precision":
            return known[change.name].printed_as or None
    named = artifact.variant.lower()
    if any(row.precision == named for table in reference_tables() for row in table.rows):
        return named
    answers = {_ANSWERS_IN.get(spec.dtype) for spec in artifact.signature.outputs}
    return answers.pop() if artifact.format == "torch" and len(answers) == 1 else None


def matches(
    report: Report,
    table: ReferenceTable,
    column: ReferenceColumn,
    precisions: tuple[str | None, str | None],
    seen: Observed,
    sequence: int | None,
) -> tuple[Match, ...]:
    """Every condition that a comparable figure would share; ``precisions`` are there and here.

    What either side does not say stays unknown.
    """
    assert report.measurement is not None
    facts = report.measurement.environment.facts
    on_gpu = column.device == "gpu"
    own = str(facts.get("NVIDIA GPU" if on_gpu else "Processor") or "") or None
    found = [
        Match(
            "GPU" if on_gpu else "CPU class", column.hardware, own, _same_chip(column.hardware, own)
        ),
        _of_numbers("Threads", column.threads, seen.variant.threads),
        Match("Precision", *precisions, _same(*precisions)),
    ]
    batch = seen.variant.batch if sequence is None else 1  # tokens are written one text at a time
    found.append(_of_numbers("Batch", table.batch, batch))
    takes_tokens = any(spec.dtype.startswith("int") for spec in report.model.signature.inputs)
    if takes_tokens or table.sequence is not None:
        found.append(_of_numbers("Sequence length", table.sequence, sequence))
    return tuple(found)


def comparability(title: str, rows: Sequence[tuple[str, tuple[Match, ...]]]) -> Table:
    """The score of every measured–reference pair: how many conditions match, and each by name."""
    aspects = tuple(match.aspect for match in rows[0][1]) if rows else ()
    return Table(
        f"{title}: how comparable",
        ("Row of the table", "Conditions that match", *aspects),
        tuple((label, _score(found), *(match.words for match in found)) for label, found in rows),
        "Figures compare only where every condition matches; what is not known counts as no match.",
    )


def pairs(
    rows: Sequence[tuple[str, float | None, Observed | None]],
    seen: Observations,
    quantity: str,
) -> tuple[Pair, ...]:
    """Every two rows (label, printed figure, what was measured) that both sides have."""
    found = []
    there = [(label, printed, here) for label, printed, here in rows if printed and here]
    for one, other in combinations(there, 2):
        (better, less, first), (worse, more, second) = sorted((one, other), key=lambda r: r[1])
        ratio = seen.ratio(second, first) if side_by_side(first, second) else None
        if ratio is not None:
            said = more / less
            found.append(Pair(better, worse, quantity, said, ratio, outcome_of(said, ratio)))
    return tuple(found)


def side_by_side(first: Observed, second: Observed) -> bool:
    """Whether two different variants ran alike."""
    one, other = first.variant, second.variant
    return one.key != other.key and (one.batch, one.threads) == (other.batch, other.threads)


def outcome_of(printed: float, measured: Ratio) -> str:
    """Confirmed with the whole interval within a tenth of the print, contradicted wholly beyond."""
    if measured.verdict == UNDECIDED:
        return UNDECIDED
    low, high = printed / _GOOD_TO, printed * _GOOD_TO
    if low <= measured.low and measured.high <= high:
        return "confirmed"
    return "contradicted" if measured.high < low or measured.low > high else UNDECIDED


def _score(found: tuple[Match, ...]) -> str:
    unknown = sum(match.same is None for match in found)
    return f"{sum(match.same is True for match in found)} of {len(found)} ({unknown} unknown)"


def _of_numbers(aspect: str, there: int | None, here: int | None) -> Match:
    return Match(aspect, _said(there), _said(here), _same(there, here))


def _same(there: object, here: object) -> bool | None:
    return None if there is None or here is None else there == here


def _same_chip(there: str | None, here: str | None) -> bool | None:
    """Whether every word of the printed name is in the chip's own."""
    if there is None or not here:
        return None
    own = here.lower().replace("(r)", " ").replace("(tm)", " ").split()
    return all(word in own for word in there.lower().split())


def _said(value: int | None) -> str | None:
    return None if value is None else str(value)
