"""What is deleted while a job is at work on it: said, and the rest goes on."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine import store
from engine.bench import session
from engine.jobs.protocol import StepView
from engine.jobs.steps import DirectSteps
from engine.pipeline import MeasureRequest, measure
from engine.settings import settings
from tests.conftest import Library


@pytest.fixture
def copied(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """The library of the whole job, as one's own: this test deletes."""
    home = tmp_path / "copy" / "data"
    shutil.copytree(library.data, home, ignore=shutil.ignore_patterns("*.lock"))
    monkeypatch.setenv("ASSAY_DATA", str(home))
    settings.cache_clear()
    return library


def test_an_artifact_deleted_while_it_is_measured_is_missed_and_the_others_measured(
    copied: Library,
) -> None:
    (artifact_id,) = copied.artifact_ids

    def watch(steps: tuple[StepView, ...], partial: Mapping[str, Any]) -> None:
        timing = [step for step in steps if step.label == session.TIMING_LABEL]
        if timing and (timing[0].fraction or 0) > 0.3 and store.artifacts.exist((artifact_id,)):
            store.artifacts.delete(artifact_id)

    request = MeasureRequest(copied.model_id, (artifact_id,))
    made = measure(DirectSteps("measured", watch), request)
    report = store.reports.load(made["report_id"])
    (said,) = report.measurement.failures.values()
    assert "artifact this step reads was deleted" in said
    blocks = report.measurement.blocks
    of_it = {block.round for block in blocks if block.variant.startswith("onnx-")}
    of_the_original = {block.round for block in blocks} - of_it
    assert of_it and of_the_original, "the original was measured on"
