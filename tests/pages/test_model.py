"""The Model page, through the real entry, with a real model recognised in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import engine
from engine.pipeline import ImportRequest, import_model
from engine.settings import settings
from engine.types import Signature, TensorSpec
from pages.components import state
from tests.conftest import Library
from tests.engine.sources.steps import StepsHere
from tests.gguf_files import BOOL, TEXT, write_llama
from tests.pages.conftest import click

OpenPage = Callable[..., AppTest]


@pytest.fixture
def model_id(workspace: Path) -> str:
    steps = StepsHere(workspace)
    return str(import_model(steps, ImportRequest("sample", "adaptive"))["model_id"])


def texts(app: AppTest) -> str:
    shown = (*app.markdown, *app.text, *app.caption, *app.subheader, *app.title)
    return "\n".join(str(item.value) for item in shown)


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def test_a_first_visitor_sees_what_to_do(open_page: OpenPage) -> None:
    page = open_page("model")
    assert not page.exception
    assert [tab.label for tab in page.tabs] == ["Try a sample", "Upload a model"]
    assert {"Use ResNet-50", "Use Digits", "Use Adaptive"} <= set(labels(page))
    recognise = next(b for b in page.button if b.label == "Recognise this model")
    assert recognise.disabled


def test_a_sample_becomes_a_job_in_the_url(open_page: OpenPage) -> None:
    page = open_page("model")
    click(page, "Use Adaptive")
    assert not page.exception
    assert page.query_params["job"]
    assert [view.kind for view in engine.list_jobs()] == ["import"]


def test_a_model_is_shown_by_its_link(open_page: OpenPage, model_id: str) -> None:
    page = open_page("model", model=model_id)
    assert not page.exception
    shown = texts(page)
    assert "Adaptive" in shown and "Inputs and outputs" in shown and "Where it can go" in shown
    assert {metric.label: metric.value for metric in page.metric}["Parameters"] == "1,716"
    assert "Convert this model" in labels(page)


def test_a_link_to_a_model_that_is_gone_says_so(open_page: OpenPage) -> None:
    page = open_page("model", model="0" * 16)
    assert not page.exception
    assert any("no such model" in warning.value for warning in page.warning)
    assert "Use ResNet-50" in labels(page)


def test_a_link_to_a_job_that_is_gone_says_so(open_page: OpenPage) -> None:
    page = open_page("model", job="nothing")
    assert not page.exception
    assert page.warning and "Use ResNet-50" in labels(page)


def test_the_models_folder_appears_only_when_there_is_one(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "models"
    home.mkdir()
    (home / "net.onnx").write_bytes(b"x")
    monkeypatch.setenv("ASSAY_MODELS", str(home))
    settings.cache_clear()
    page = open_page("model")
    assert [tab.label for tab in page.tabs][-1] == "From the models folder"
    assert not page.exception


def test_names_of_models_are_shown_as_text(open_page: OpenPage, workspace: Path) -> None:
    from dataclasses import replace

    from engine import store

    made = import_model(StepsHere(workspace), ImportRequest("sample", "adaptive"))
    hostile = "![x](http://evil.example/x.png)<img src=x onerror=alert(1)>"
    known = store.models.load(str(made["model_id"]))
    spec = TensorSpec(hostile, "float32", ("batch", 2))
    artifact = replace(known.artifact, signature=Signature((spec,), (spec,)))
    store.models.save(replace(known, id="f" * 16, name=hostile, artifact=artifact))
    page = open_page("model", model="f" * 16)
    assert not page.exception
    assert not any("![x](" in item.value for item in (*page.markdown, *page.subheader))


def test_an_eager_model_leads_to_the_graphs_of_what_was_made(
    open_done: OpenPage, library: Library
) -> None:
    page = open_done("model", model=library.model_id)
    assert not page.exception
    assert "has no graph of its own" in texts(page)
    found = {item.proto.label: item.proto.url for item in page.get("link_button")}
    assert found["Graph as ONNX"].startswith(f"/viewer/artifact/{library.artifact_ids[0]}/")


def brought(workspace: Path, monkeypatch: pytest.MonkeyPatch, **changed: tuple[int, Any]) -> str:
    """A GGUF file from a models folder; gives the model's id."""
    (workspace / "folder").mkdir(parents=True)
    write_llama(workspace / "folder" / "a.gguf", **changed)
    monkeypatch.setenv("ASSAY_MODELS", str(workspace / "folder"))
    settings.cache_clear()
    made = import_model(StepsHere(workspace), ImportRequest("path", "a.gguf"))
    return str(made["model_id"])


def test_everything_a_file_says_is_one_click_away(
    open_page: OpenPage, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = "![x](http://evil.example/x.png)"
    model = brought(workspace, monkeypatch, **{"general.name": (TEXT, hostile)})
    page = open_page("model", model=model)
    assert not page.exception
    (box,) = (item for item in page.expander if item.label.startswith("Everything in the file"))
    assert not box.dataframe, "closed, it costs nothing"
    page.session_state[f"{state.LISTINGS}{model}"] = True
    page.run()
    assert not page.exception
    (box,) = (item for item in page.expander if item.label.startswith("Everything in the file"))
    metadata, tensors = (item.value for item in box.dataframe)
    told = dict(zip(metadata["Key"], metadata["Value"], strict=True))
    assert told["general.name"] == hostile and told["llama.context_length"] == "64"
    assert list(tensors["Bytes"])[:2] == [320 * 32 * 4] * 2
    assert not any("![x](" in item.value for item in (*page.markdown, *page.caption))


def test_a_file_that_cannot_be_run_is_shown_with_its_reason(
    open_page: OpenPage, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = {"general.architecture": (TEXT, "bert"), "bert.attention.causal": (BOOL, False)}
    model = brought(workspace, monkeypatch, **encoder)
    page = open_page("model", model=model)
    assert not page.exception
    (why,) = (item.value for item in page.warning)
    assert "not converted or measured" in why and "encoder model" in why
    assert "Convert this model" not in labels(page)
    for name in ("convert", "measure"):
        page = open_page(name, model=model)
        assert not page.exception
        assert any("encoder model" in item.value for item in page.warning)
        assert not {"Convert and verify", "Measure"} & set(labels(page))
