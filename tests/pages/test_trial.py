"""Try it, on the Convert page and on the Model page."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from engine import store
from engine.errors import Reason
from engine.jobs.protocol import JobState, StepView
from engine.types import Model
from tests.conftest import Library
from tests.models import stored_writer
from tests.pages.conftest import OpenPage, click, opened, words

ANSWER = "and **the** <b>cook</b> said $x$ :red[no]"
FIGURES = {"tokens": 9, "prompt_tokens": 4, "most": 128, "first_s": 0.25, "tokens_per_s": 31.25}


@pytest.fixture
def writer(workspace: Path) -> Model:
    return stored_writer(workspace / "models" / "writer")


def text_of(app: AppTest) -> list[str]:
    return [str(item.value) for item in app.text]


@pytest.mark.parametrize("page", ["convert", "model"])
def test_pressing_write_queues_the_prompt(writer: Model, page: str) -> None:
    app = opened(page, model=writer.id)
    assert "Try it" in words(app)
    app.text_area[0].set_value("The harbour")
    click(app, "Write")
    assert not app.exception
    row = store.jobs.load(app.query_params["try"])
    assert row.kind == "try"
    assert row.request["prompt"] == "The harbour"
    assert row.request["artifact_id"] == writer.artifact.id
    assert "Stop" in [button.label for button in app.button]


def test_a_running_answer_shows_its_text_and_its_speed(writer: Model) -> None:
    job_id = queued(writer)
    store.jobs.start(job_id)
    step = StepView("Write", JobState.RUNNING, "5 tokens, 12.5 tokens/s", 0.04)
    store.jobs.progress(job_id, (step,), {"text": ANSWER})
    app = opened("convert", model=writer.id, **{"try": job_id})
    assert ANSWER in text_of(app)
    assert any("12.5 tokens/s" in bar.proto.text for bar in app.get("progress"))


def test_a_whole_answer_is_text_and_says_how_fast_it_came(writer: Model) -> None:
    job_id = queued(writer)
    store.jobs.start(job_id)
    store.jobs.finish(job_id, JobState.DONE, result={"text": ANSWER, **FIGURES})
    app = opened("convert", model=writer.id, **{"try": job_id})
    assert not app.exception
    assert ANSWER in text_of(app)  # as text: no element reads it as markup
    assert not any(ANSWER in str(item.value) for item in app.markdown)
    said = words(app)
    assert "9 tokens after 4 of prompt, the first after 0.25 s, then 31.2 tokens/s" in said
    assert "ended by the model itself" in said


def test_a_refusal_says_the_numbers(writer: Model) -> None:
    job_id = queued(writer)
    message = "The prompt has 900 tokens and 128 are asked for; this model sees 512 at once."
    store.jobs.finish(job_id, JobState.FAILED, reason=Reason.BAD_REQUEST, message=message)
    app = opened("convert", model=writer.id, **{"try": job_id})
    assert message in words(app).replace("\\", "")


def test_stopping_ends_it(writer: Model) -> None:
    app = opened("convert", model=writer.id)
    click(app, "Write")
    click(app, "Stop")
    assert "Stopped." in words(app)


def test_an_answer_that_is_gone_is_said(writer: Model) -> None:
    app = opened("convert", model=writer.id, **{"try": "nothing"})
    assert not app.exception
    assert "no such job" in words(app)


def test_what_does_not_write_offers_no_prompt(open_done: OpenPage, library: Library) -> None:
    app = open_done("convert", model=library.model_id)
    assert "Made from this model" in words(app)
    assert "Try it" not in words(app)


def queued(writer: Model) -> str:
    from engine.jobs.client import submit_try
    from engine.pipeline import TryRequest

    return submit_try(TryRequest(writer.id, writer.artifact.id, "The river"))
