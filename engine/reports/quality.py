"""How good the artifacts of a report are on real samples: in words, and every raw answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.quality.figures import MOST_LOST, agreement, lost, sentence
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
        "difference. Places within a sample and words within a window of text are not independent: "
        "there intervals are by whole samples or windows (a seeded bootstrap; Student's t, which "
        "is wide, over fewer than 8). McNemar's p is exact: the chance of so uneven a split of the "
        "samples that only one of the two got right, were neither better.",
    )


def losses(report: Report) -> Mapping[str, str]:
    """By artifact, the accuracy that has surely gone, in words; those that kept it are left out."""
    found = {one.id: " and ".join(filter(None, map(lost, one.quality))) for one in report.artifacts}
    return {artifact_id: gone for artifact_id, gone in found.items() if gone}


def loss_warning(report: Report) -> str:
    """Which artifacts are not to be taken for the model, whatever their verdict; else empty."""
    gone = losses(report)
    said = [f"{one.label} loses {gone[one.id]}" for one in report.artifacts if one.id in gone]
    if not said:
        return ""
    return (
        f"{'; '.join(said)}: surely more than {100 * MOST_LOST:g} points. A verdict speaks of "
        "numbers; accuracy says whether an artifact is of use."
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
