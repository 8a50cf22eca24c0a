"""Reports side by side: what means the same in one row, and ratios within each report compared.

Milliseconds of two machines, and of two times, are shown beside each other and never divided: they
were not measured in the same rounds. What is held against each other are the ratios that each
report has within itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.bench import stats
from engine.bench.stats import Ratio
from engine.bench.unpaired import quotient
from engine.errors import BadRequest
from engine.reports import words
from engine.reports.forest import Forest, ForestRow, of_rows
from engine.reports.lineup import Row, baselines_of, keys_of, line_up, usual_baseline
from engine.reports.machines import differences, machine_numbers, processor_of
from engine.reports.model import Report
from engine.reports.tables import Table
from engine.reports.variants import VariantFigures, variant_figures

MOST = 6
_ABSENT = "–"
_WORDS = {
    "faster": "a larger ratio than in {}",
    "slower": "a smaller ratio than in {}",
    "equivalent": "the same ratio as in {}",
    "small but real": "nearly the same ratio as in {}",
    "inconclusive": "not to be told apart from {}",
    stats.UNDECIDED: "not decided against {}: noise grade D",
}


@dataclass(frozen=True, slots=True)
class Compared:
    """One report of the comparison. ``letter`` is its name here; ``machine`` counts from 1.

    ``place`` says in words on which machine it was measured.
    """

    id: str
    letter: str
    title: str
    machine: int
    place: str
    measured: bool

    @property
    def head(self) -> str:
        """The letter with the machine's number."""
        return f"{self.letter}, machine {self.machine}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Reports side by side. ``baselines`` are what may be chosen as one, with their names.

    ``latency`` to ``size`` are one table a figure, ``ratios`` the table of the ratios, whose plot
    is ``forest``; ``sentence`` says in words what the chart of latencies shows.
    """

    reports: tuple[Compared, ...]
    baselines: tuple[tuple[str, str], ...]
    baseline: str | None
    rows: tuple[Row, ...]
    latency: Table
    throughput: Table
    memory: Table
    size: Table
    ratios: Table
    forest: Forest | None
    sentences: tuple[str, ...]
    differences: Table
    sentence: str
    notes: tuple[str, ...]


def compare(reports: Sequence[Report], baseline: str | None = None) -> Comparison:
    """Line reports up, with the ratios of each against ``baseline``, a target as it is written.

    None: the first report's original where all have it, else the first target that all have.
    Raises BadRequest for none or more than ``MOST`` reports, and for a baseline that none has.
    """
    if not 1 <= len(reports) <= MOST or len({report.id for report in reports}) < len(reports):
        raise BadRequest(
            f"{len(reports)} reports cannot be put side by side.",
            hint=f"Choose from one to {MOST}, each once.",
        )
    measured = tuple(variant_figures(report) for report in reports)
    keys = tuple(keys_of(report, own) for report, own in zip(reports, measured, strict=True))
    known = baselines_of(measured, keys)
    if baseline is not None and baseline not in dict(known):
        raise BadRequest(
            f"No report of these has measured {baseline!r}.",
            hint=f"Baselines here: {', '.join(dict(known)) or 'none'}.",
        )
    chosen = baseline or usual_baseline(measured, keys, tuple(dict(known)))
    heads = _compared(reports)
    rows = line_up(reports, measured, keys, chosen)
    name = dict(known).get(chosen or "", "")
    ratio_rows, sentences = _ratio_rows(heads, rows, chosen)
    return Comparison(
        reports=heads,
        baselines=known,
        baseline=chosen,
        rows=rows,
        latency=_sheet("Median latency, ms", heads, rows, lambda v: words.percentile(v.p50)),
        throughput=_sheet("Items a second", heads, rows, lambda v: words.percentile(v.throughput)),
        memory=_sheet("Peak memory above import, MiB", heads, rows, _memory),
        size=_sheet("File, MiB", heads, rows, lambda v: words.number(v.size_mib)),
        ratios=Table(
            f"Speed against {name}, within each report",
            ("Variant", *(one.head for one in heads), "Beside each other"),
            ratio_rows,
            "A ratio is of the same rounds of one measurement. Two of them are compared by the "
            "intervals of both (MOVER), all together by Holm's adjustment.",
        ),
        forest=of_rows(_forest_rows(heads, rows), f"{name} in the same report"),
        sentences=sentences,
        differences=differences([one.head for one in heads], reports, measured),
        sentence=_said(heads, rows),
        notes=_notes(reports, heads, rows, chosen, name),
    )


def _compared(reports: Sequence[Report]) -> tuple[Compared, ...]:
    numbers = machine_numbers(reports)
    return tuple(
        Compared(
            report.id,
            chr(ord("A") + place),
            report.title,
            number,
            f"{_machine(number)}: {processor_of(report)}",
            report.measurement is not None,
        )
        for place, (report, number) in enumerate(zip(reports, numbers, strict=True))
    )


def _machine(number: int) -> str:
    return "Machine 1" if number == 1 else f"Machine {number}, another machine"


def _sheet(
    caption: str,
    heads: Sequence[Compared],
    rows: Sequence[Row],
    shown: Callable[[VariantFigures], str],
) -> Table:
    """One figure of every row, side by side."""
    return Table(
        caption,
        ("Variant", *(one.head for one in heads)),
        tuple(
            (row.name, *(_ABSENT if cell is None else shown(cell) for cell in row.cells))
            for row in rows
        ),
    )


def _memory(variant: VariantFigures) -> str:
    return _ABSENT if variant.memory_mib is None else words.number(variant.memory_mib)


def _forest_rows(heads: Sequence[Compared], rows: Sequence[Row]) -> tuple[ForestRow, ...]:
    return tuple(
        ForestRow(f"{row.name} · {one.letter}", row.colour, ratio)
        for row in rows
        for one, ratio in zip(heads, row.ratios, strict=True)
        if ratio is not None
    )


def _ratio_rows(
    heads: Sequence[Compared], rows: Sequence[Row], baseline: str | None
) -> tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]:
    """The table of ratios, and a sentence for every two that could be held against each other."""
    pairs = [(row, *pair) for row in rows for pair in _pairs(row)]
    apart = stats.adjusted(tuple(quotient(first, second) for *_, (_, first), (_, second) in pairs))
    said: dict[str, list[str]] = {}
    sentences = []
    for (row, (one, first), (two, second)), ratio in zip(pairs, apart, strict=True):
        restless = stats.UNDECIDED in (first.verdict, second.verdict)
        word = _WORDS[stats.UNDECIDED if restless else ratio.verdict].format(heads[one].letter)
        said.setdefault(row.name, []).append(f"{heads[two].letter}: {word} ({words.times(ratio)})")
        sentences.append(
            f"{row.name}: {words.times(first)} in {heads[one].letter}, {words.times(second)} in "
            f"{heads[two].letter}: {word}."
        )
    table = tuple(
        (
            row.name,
            *(_ratio(row, place, baseline) for place in range(len(heads))),
            "; ".join(said.get(row.name, (_ABSENT,))),
        )
        for row in rows
    )
    return table, tuple(sentences)


Held = tuple[int, Ratio]


def _pairs(row: Row) -> list[tuple[Held, Held]]:
    """Every report that has a ratio in this row, beside the first that has one."""
    there = [(place, ratio) for place, ratio in enumerate(row.ratios) if ratio is not None]
    return [(there[0], other) for other in there[1:]]


def _ratio(row: Row, place: int, baseline: str | None) -> str:
    if row.cells[place] is None:
        return _ABSENT
    if row.key == baseline:
        return "1× (the baseline)"
    ratio = row.ratios[place]
    return _ABSENT if ratio is None else f"{words.times(ratio)} {words.verdict(ratio)}"


def _said(heads: Sequence[Compared], rows: Sequence[Row]) -> str:
    parts = []
    for place, one in enumerate(heads):
        own = [(row.name, cell) for row in rows if (cell := row.cells[place]) is not None]
        listed = "; ".join(f"{name} {words.percentile(v.p50)} ms" for name, v in own)
        parts.append(f"{one.letter}, {one.place}: {listed or 'nothing measured'}.")
    return f"Median latency with 95 % intervals. {' '.join(parts)}"


def _notes(
    reports: Sequence[Report],
    heads: Sequence[Compared],
    rows: Sequence[Row],
    baseline: str | None,
    name: str,
) -> tuple[str, ...]:
    """What a reader must know before holding these against each other."""
    found = []
    if len({one.machine for one in heads}) > 1:
        found.append(
            "Not the same hardware: times, memory and throughput of different machines stand in "
            "panels and columns of their own. What compares are the ratios within each machine."
        )
    elif len(heads) > 1:
        found.append(
            "Measured on hardware that is alike, but not in the same rounds: what compares are the "
            "ratios within each report."
        )
    if len({report.model.sha256 for report in reports}) > 1:
        found.append("Not the same model: a ratio here also holds what the models differ in.")
    empty = [one.letter for one in heads if not one.measured]
    if empty:
        found.append(f"Nothing was measured in {', '.join(empty)}.")
    without = [
        one.letter
        for place, one in enumerate(heads)
        if one.measured and not any(row.cells[place] for row in rows if row.key == baseline)
    ]
    if without and name:
        found.append(f"No ratio against {name} in {', '.join(without)}: it was not measured there.")
    alone = [row.name for row in rows if sum(cell is not None for cell in row.cells) == 1]
    if alone and len(heads) > 1:
        found.append(f"In one report only: {', '.join(alone)}.")
    return tuple(found)
