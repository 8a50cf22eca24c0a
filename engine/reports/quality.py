"""How good the artifacts of a report are on real samples: in words, and every raw answer."""

from __future__ import annotations

from collections.abc import Iterator

from engine.quality.figures import agreement, sentence
from engine.quality.model import Quality
from engine.reports import words
from engine.reports.model import Report
from engine.reports.tables import Table

_ABSENT = "–"
ANSWER_COLUMNS = ("data", "true class", "answer of the original", "answer")
"""What the CSV adds for every sample that was answered."""


def quality_table(report: Report) -> Table | None:
    """Every artifact on every data set it was judged on; None where there was none."""
    rows = tuple(
        (artifact.label, sentence(found), _same(found))
        for artifact in report.artifacts
        for found in artifact.quality
    )
    if not rows:
        return None
    return Table(
        "On real samples, which nothing was calibrated on",
        ("Artifact", "Against the original", "Same answer"),
        rows,
        "Brackets are 95 % intervals: Wilson's for a share, Newcombe's paired one for a "
        "difference. McNemar's p is exact: the chance of so uneven a split of the samples that "
        "only one of the two got right, were neither better.",
    )


def answer_rows(report: Report) -> Iterator[tuple[object, ...]]:
    """One line a sample: (artifact's id, label, format, index, data, true class, answers)."""
    for artifact in report.artifacts:
        for found in artifact.quality:
            for index, answer in enumerate(found.answers):
                label = found.labels[index] if found.labels else ""
                place = (artifact.id, artifact.label, artifact.format, index)
                yield (*place, found.data_name, label, found.original[index], answer)


def _same(found: Quality) -> str:
    same = agreement(found)
    return _ABSENT if same is None else words.share(same.value, 1)
