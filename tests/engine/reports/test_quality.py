"""Quality in a report: kept raw, said in words, exported, and checked on its way in."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import Any

import pytest

from engine.data.drawn import RANDOM
from engine.errors import BadRequest
from engine.quality.model import Quality
from engine.records import dump
from engine.reports import migrations
from engine.reports.export import export_csv, export_json, export_markdown
from engine.reports.figures import figures
from engine.reports.model import Report
from engine.reports.render import export_html
from engine.types import Step
from tests.engine.reports.made import report

FOUND = Quality(
    "a", "d", "digits", "0" * 64, "images", 4, 4, (0, 1, 2, 3), (0, 1, 2, 2), (0, 1, 1, 2)
)


def judged(found: Quality = FOUND) -> Report:
    made = report()
    artifacts = tuple(
        one if one.is_original else replace(one, quality=(found,)) for one in made.artifacts
    )
    return replace(made, artifacts=artifacts)


def test_it_is_in_every_export_in_words() -> None:
    said = "Accuracy 75.0 % → 50.0 %"
    html = export_html(judged())
    assert said in html
    assert "<h2>Quality</h2>" in html
    assert said in export_markdown(judged())
    table = figures(judged()).quality
    assert table is not None
    assert table.rows[0][2] == "75.0 %"


def test_the_csv_has_every_answer() -> None:
    rows = list(csv.DictReader(io.StringIO(export_csv(judged()))))
    answered = [row for row in rows if row["phase"] == "answered" and row["format"] == "onnx"]
    columns = ("data", "true class", "answer of the original", "answer")
    assert [tuple(row[name] for name in columns) for row in answered] == [
        ("digits", "0", "0", "0"),
        ("digits", "1", "1", "1"),
        ("digits", "2", "2", "1"),
        ("digits", "3", "2", "2"),
    ]
    assert any(row["phase"] == "measured" and row["answer"] == "" for row in rows)


def test_values_that_were_drawn_are_warned_of() -> None:
    made = report()
    step = Step("quantize", "onnxruntime", "1", {"data": RANDOM, "samples read": 100})
    artifacts = tuple(replace(one, lineage=(*one.lineage, step)) for one in made.artifacts[1:])
    found = figures(replace(made, artifacts=(made.artifacts[0], *artifacts)))
    assert any(warning.startswith("Made from random values") for warning in found.warnings)
    assert not any("random values" in warning for warning in figures(made).warnings)


def test_it_comes_back_equal() -> None:
    assert migrations.loads(export_json(judged())) == judged()


def test_a_report_from_before_there_was_data_has_none() -> None:
    document = dump(report()) | {"schema_version": 4}
    for artifact in document["artifacts"]:
        del artifact["quality"]
    read = migrations.load(document)
    assert read == report()
    assert figures(read).quality is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"labels": [0]}, "labels do not fit"),
        ({"original": [0]}, "differently many samples"),
        ({"samples": 0}, "number of samples"),
        ({"labels": None, "original": [], "answers": []}, "no answers"),
    ],
)
def test_answers_that_do_not_fit_together_are_refused(change: dict[str, Any], said: str) -> None:
    document = json.loads(export_json(judged()))
    document["artifacts"][-1]["quality"][0].update(change)
    with pytest.raises(BadRequest, match=said):
        migrations.load(document)
