"""Example reports come into a new library once, by the way of any import."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine import examples, store
from engine.errors import BadRequest
from engine.reports.export import export_json
from engine.reports.figures import figures
from engine.reports.migrations import loads
from engine.reports.tables import environment_tables
from tests.engine.reports.made import report


def test_they_are_imported_once_and_a_deleted_one_stays_away(
    workspace: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "examples"
    folder.mkdir()
    assert examples.show_once(folder) == ()
    first, second = replace(report(), id="first"), replace(report(), id="second")
    (folder / "a.json").write_text(export_json(first))
    assert examples.show_once(folder) == ("a.json",)
    assert store.reports.load("first") == first
    store.reports.delete("first")
    (folder / "b.json").write_text(export_json(second))
    assert examples.show_once(folder) == ("b.json",)
    assert [one.id for one in store.reports.recent()] == ["second"]
    assert examples.show_once(folder) == ()


def test_what_is_no_report_is_said(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{}")
    with pytest.raises(BadRequest, match="not an Assay report"):
        examples.show_once(tmp_path)


@pytest.mark.parametrize("file", sorted(examples.FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_those_that_come_with_assay_are_whole(file: Path) -> None:
    made = loads(file.read_text(encoding="utf-8"))
    assert made.title.startswith("Example: ")
    assert made.measurement is not None
    assert made.measurement.plan.preset.name == "standard"
    assert len(figures(made).variants) == len(made.measurement.plan.variants) > 3


@pytest.mark.parametrize(
    ("name", "package"), [("resnet50", "tensorflow-cpu"), ("llama", "llama-cpp-python")]
)
def test_the_versions_of_what_ran_are_shown(name: str, package: str) -> None:
    """Under the name one would install it by, however its own files spell it."""
    made = loads((examples.FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    shown = next(table for table in environment_tables(made) if table.caption == "Versions")
    assert package in {row[0] for row in shown.rows}
