"""What leaves the machine comes back equal, and harms nobody on the way."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.bench.model import GateReading
from engine.bench.observations import (
    BatchPoint,
    BatchSweep,
    ColdStart,
    LargestBatch,
    LoadRun,
    LoadWindow,
)
from engine.errors import BadRequest
from engine.records import dump
from engine.reports import migrations
from engine.reports.export import export_csv, export_json, export_markdown, import_report
from engine.reports.model import SCHEMA_VERSION
from engine.store import reports as library
from tests.engine.reports.made import renamed, report

HOSTILE = '=cmd|"/c calc"!A1</script><img src=x onerror=alert(1)>|[x](javascript:y)`\\ 𝕏'


@pytest.mark.parametrize(
    "made",
    [
        report(),
        replace(report(), measurement=None, advice=None),
        renamed(report(), HOSTILE),
        report({"torch": 70.0}),
        report(preset="standard"),
    ],
    ids=["plain", "unmeasured", "hostile", "alone", "standard"],
)
def test_an_export_comes_back_equal(made: Any) -> None:
    text = export_json(made)
    assert migrations.loads(text) == made
    assert export_json(migrations.loads(text)) == text


@pytest.mark.parametrize("what", ["processes", "variants", "looks", "id", "name", "text"])
def test_a_report_that_would_take_hours_to_draw_is_refused(what: str) -> None:
    made = report()
    measurement = made.measurement
    assert measurement is not None
    plan = measurement.plan
    if what == "processes":
        measurement = replace(measurement, blocks=measurement.blocks * 40)
    elif what == "variants":
        more = tuple(replace(plan.variants[0], key=f"v{at}") for at in range(65))
        measurement = replace(measurement, plan=replace(plan, variants=(*plan.variants, *more)))
    elif what == "looks":
        look = GateReading((1,) * 30, 2, None, None, None, None, None, 1, 1, 0)
        measurement = replace(measurement, gate=(look,) * 101)
    elif what == "name":
        long = tuple(replace(v, label="x" * 301) for v in plan.variants)
        measurement = replace(measurement, plan=replace(plan, variants=long))
    wrong = replace(
        made,
        measurement=measurement,
        id="x" * 65 if what == "id" else made.id,
        reproduce="1" * 100_001 if what == "text" else made.reproduce,
    )
    said = r"too often|too many variants|its id is none|a (name|text) in it is too long"
    with pytest.raises(BadRequest, match=said):
        migrations.loads(export_json(wrong))
    if what != "id":
        assert migrations.load(dump(wrong)) == wrong, "our own is read, however large"


def test_importing_keeps_the_report(workspace: Path) -> None:
    kept = import_report(export_json(report()))
    assert library.load(kept.id) == report()


def test_importing_twice_changes_nothing(workspace: Path) -> None:
    first = import_report(export_json(report()))
    assert import_report(export_json(report())).id == first.id
    assert len(library.recent()) == 1


def test_a_different_report_with_the_same_id_does_not_replace_ours(workspace: Path) -> None:
    library.save(report())
    other = import_report(export_json(replace(report(), title="Another")))
    assert other.id != report().id
    assert library.load(report().id).title == report().title
    assert library.load(other.id).title == "Another"


def test_the_csv_has_every_raw_sample() -> None:
    made = report()
    rows = list(csv.DictReader(io.StringIO(export_csv(made))))
    assert made.measurement is not None
    expected = [s for b in made.measurement.blocks for s in (*b.warmup_ns, *b.samples_ns)]
    assert [int(row["nanoseconds"]) for row in rows] == expected
    assert {row["phase"] for row in rows} == {"warm-up", "measured"}


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_the_csv_is_a_formula(sign: str) -> None:
    rows = list(csv.reader(io.StringIO(export_csv(renamed(report(), f"{sign}1+1")))))
    assert all(not cell.startswith(sign) for row in rows for cell in row)


def test_markdown_shows_hostile_names_as_text() -> None:
    text = export_markdown(renamed(report(), HOSTILE))
    prose = text.split("```sh")[0]
    assert not re.search(r"(?<!\\)[<`]", prose)
    assert not re.search(r"(?<!\\)\]\(", prose)
    table = next(block for block in prose.split("\n\n") if block.startswith("| Variant"))
    pipes = [line.replace("\\|", "").count("|") for line in table.splitlines()]
    assert len(set(pipes)) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not an Assay report"),
        ("not json", "not an Assay report"),
        ("[]", "no schema_version"),
        ('{"name": "other"}', "no schema_version"),
        ('{"schema_version": "1"}', "schema_version is"),
        ('{"schema_version": true}', "schema_version is"),
        ('{"schema_version": 0}', "schema_version is"),
        ('{"schema_version": 1}', "of schema version 1"),
        (f'{{"schema_version": {SCHEMA_VERSION}}}', "required field missing"),
        ("[" * 100_000, "nested too deeply"),
        ('{"schema_version": NaN}', "NaN is not a JSON number"),
    ],
)
def test_what_is_not_a_report_is_refused_with_a_sentence(text: str, said: str) -> None:
    with pytest.raises(BadRequest, match=said) as caught:
        migrations.loads(text)
    assert len(str(caught.value)) < 1000


def test_a_newer_report_is_refused_with_both_versions() -> None:
    document = dump(report()) | {"schema_version": SCHEMA_VERSION + 1}
    with pytest.raises(BadRequest, match=rf"version {SCHEMA_VERSION + 1}.*up to {SCHEMA_VERSION}"):
        migrations.load(document)


def test_a_report_of_every_earlier_version_has_a_migration() -> None:
    assert set(migrations.MIGRATIONS) == set(range(1, SCHEMA_VERSION))


def test_a_file_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "MAX_BYTES", 1024**2)
    with pytest.raises(BadRequest, match="2 MiB; a report has at most 1 MiB"):
        migrations.loads(" " * 2 * 1024**2)


def spoiled(*path: Any, value: Any) -> str:
    """The export with one value replaced."""
    document = json.loads(export_json(report()))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    "text",
    [
        spoiled("measurement", "blocks", 0, "load_s", value="nan"),
        spoiled("measurement", "seconds", value="inf"),
        spoiled("measurement", "blocks", 0, "load_s", value=-1.0),
        spoiled("measurement", "blocks", 0, "samples_ns", value=[]),
        spoiled("measurement", "blocks", 0, "samples_ns", value=[0]),
        spoiled("measurement", "blocks", 0, "samples_ns", value=[10**30]),
        spoiled("measurement", "blocks", 0, "canary_ns", value=[0, 1]),
        spoiled("measurement", "blocks", 0, "variant", value="another"),
        spoiled("measurement", "plan", "variants", 0, "artifact_id", value="another"),
        spoiled("measurement", "plan", "variants", 0, "batch", value=0),
        spoiled("measurement", "memory", 0, "peak_bytes", value=-5),
        spoiled("artifacts", value="none"),
        spoiled("surprise", value=1),
    ],
)
def test_a_report_that_does_not_fit_together_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        migrations.loads(text)


def test_a_report_of_version_1_is_read_with_artifacts_that_have_no_variant() -> None:
    now = report()
    document = dump(now) | {"schema_version": 1}
    for made in document["artifacts"]:
        del made["variant"], made["options"]
    assert import_report(json.dumps(document)) == now


@pytest.mark.parametrize(
    ("field", "records"),
    [
        ("cold", (ColdStart("torch-b1-t2", True, 1.0, 1.0, 1.0, 1.0, None),)),
        ("batches", (BatchSweep("torch-b1-t2", (BatchPoint(1, 0, (), 1, 0),), ""),)),
        ("batches", (BatchSweep("torch-b1-t2", (BatchPoint(1, 0, (0, 0), 1, 0),), ""),)),
        ("largest", (LargestBatch("torch-b1-t2", (), ""),)),
        (
            "clients",
            (LoadRun("torch-b1-t2", 1, None, None, False, 0.0, 1.0, (LoadWindow((1,), ()),)),),
        ),
    ],
    ids=["one kind of start", "no samples", "no time", "no tries", "unequal"],
)
def test_figures_that_cannot_be_worked_out_are_not_imported(
    workspace: Path, field: str, records: Any
) -> None:
    made = report()
    assert made.measurement is not None
    spoiled = replace(made, measurement=replace(made.measurement, **{field: records}))
    with pytest.raises(BadRequest, match="not an Assay report that"):
        import_report(export_json(spoiled))
    assert library.recent() == ()


def test_names_that_fill_a_page_are_not_imported(workspace: Path) -> None:
    with pytest.raises(BadRequest, match="longer than 300 characters"):
        import_report(export_json(replace(report(), title="x" * 301)))


def test_no_id_or_time_is_markdown() -> None:
    link = "[log in](https://evil.example)"
    text = export_markdown(replace(report(), id=link, created_at=link))
    assert link not in text


@pytest.mark.parametrize("claimed", ["2999-01-01T00:00:00+00:00", "9", "1969-07-20", "z", ""])
def test_a_report_of_a_time_to_come_does_not_stay_the_newest(workspace: Path, claimed: str) -> None:
    with pytest.raises(BadRequest, match="not a time up to now") as caught:
        import_report(export_json(replace(report(), created_at=claimed)))
    assert "clock" in caught.value.hint
