"""The Measure page."""

from __future__ import annotations

from pathlib import Path

import pytest

import engine
from engine import ImportRequest, registry, store
from engine.jobs.steps import DirectSteps
from engine.pipeline import import_model
from tests.conftest import Library, ignore
from tests.models import onnx_model
from tests.pages.conftest import OpenPage, click, words


def test_without_a_model_it_says_where_to_go(open_page: OpenPage) -> None:
    app = open_page("measure")
    assert not app.exception
    assert "No model has been brought yet." in words(app)


def test_verified_artifacts_can_be_measured(open_done: OpenPage, library: Library) -> None:
    app = open_done("measure", model=library.model_id)
    assert not app.exception
    click(app, "Measure")
    assert not app.exception
    assert store.jobs.load(app.query_params["job"]).kind == "measure"


def test_a_model_that_reaches_nothing_is_measured_alone(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_open_edges", lambda *_: ())
    onnx_model(tmp_path / "net.onnx", [("Relu", ["x"], ["y"])])
    kept = engine.save_upload("net.onnx", (tmp_path / "net.onnx").read_bytes())
    brought = import_model(DirectSteps("import", ignore), ImportRequest("upload", kept.id))
    app = open_page("measure", model=brought["model_id"])
    assert "measured alone" in words(app)
    click(app, "Measure")
    assert not app.exception
    assert store.jobs.load(app.query_params["job"]).kind == "measure"
