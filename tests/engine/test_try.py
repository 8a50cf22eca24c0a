"""A prompt as a job: streamed by a real worker, refused with numbers, stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine import pipeline, store
from engine.errors import BadRequest, NotFound, TaskCancelled
from engine.jobs import client
from engine.jobs.protocol import JobState, StepView
from engine.jobs.steps import DirectSteps
from engine.pipeline import TryRequest, try_out
from engine.records import dump
from engine.tasks import generate
from engine.types import Model, Sampling
from tests.engine.store.conftest import a_model
from tests.models import stored_writer, task_folder


@pytest.fixture
def writer(workspace: Path) -> Model:
    return stored_writer(workspace / "models" / "writer")


def asked(writer: Model, prompt: str = "The river was quiet", **changes: Any) -> TryRequest:
    return replace(TryRequest(writer.id, writer.artifact.id, prompt, 24), **changes)


def request(writer: Model, prompt: str, most: int, temperature: float = 0.7) -> dict[str, Any]:
    return {
        "artifact": dump(writer.artifact),
        "prompt": prompt,
        "most": most,
        "sampling": dump(Sampling(temperature)),
        "threads": 1,
    }


def test_the_text_comes_piece_by_piece_through_a_worker(writer: Model) -> None:
    shown: list[str] = []

    def show(steps: tuple[StepView, ...], partial: Mapping[str, Any]) -> None:
        shown.append(str(partial.get("text", "")))

    made = try_out(DirectSteps("try", show), asked(writer))
    assert made["artifact_id"] == writer.artifact.id
    assert made["text"].strip()
    assert 1 <= made["tokens"] <= 24
    assert made["first_s"] > 0
    assert shown[-1] == made["text"]
    assert all(made["text"].startswith(text) for text in shown)


def test_the_same_seed_gives_the_same_answer(writer: Model, tmp_path: Path) -> None:
    made = [
        generate.run(request(writer, "The cook", 12, warmth), task_folder(tmp_path / str(number)))
        for number, warmth in enumerate((0.7, 0.7, 0.0))
    ]
    assert made[0]["text"] == made[1]["text"] != made[2]["text"]


def test_what_is_told_adds_up_to_the_answer(writer: Model, tmp_path: Path) -> None:
    folder = task_folder(tmp_path / "task")
    made = generate.run(request(writer, "The cook", 12), folder)
    assert folder.text == made["text"]
    assert folder.said[-1][0].startswith(f"{made['tokens']} tokens, ")
    assert "tokens/s" in folder.said[-1][0]


def test_a_prompt_that_does_not_fit_is_refused_with_the_numbers(
    writer: Model, tmp_path: Path
) -> None:
    with pytest.raises(
        BadRequest, match=r"has \d+ tokens and 100 are asked for; .* sees 128"
    ) as no:
        generate.run(request(writer, "river " * 60, 100), task_folder(tmp_path / "task"))
    assert "Shorten the prompt to 28 tokens" in no.value.hint


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"prompt": "   "}, "0 characters; it can be 1 to 8,000"),
        ({"prompt": "a" * 8001}, "8,001 characters"),
        ({"most": 0}, "0 tokens are asked for; it can be 1 to 1,024"),
        ({"most": 5000}, "5,000 tokens"),
        ({"temperature": 3.0}, "temperature is 3; it can be 0 to 2"),
        ({"temperature": float("nan")}, "temperature is nan"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_it_is_queued(
    writer: Model, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadRequest, match=said):
        client.submit_try(asked(writer, **changes))
    assert client.jobs() == ()


def test_only_what_writes_can_be_tried(workspace: Path) -> None:
    store.models.save(a_model("m", workspace))
    with pytest.raises(BadRequest, match="ONNX is not run as a writer"):
        client.submit_try(TryRequest("m", "m", "Hello"))
    with pytest.raises(NotFound):
        client.submit_try(TryRequest("m", "nothing", "Hello"))


def test_the_same_prompt_again_is_a_new_answer(writer: Model) -> None:
    first = client.submit_try(asked(writer))
    assert client.submit_try(asked(writer)) == first
    assert client.job(first).title == "Try GGUF Q8_0 of Writer"
    store.jobs.start(first)
    store.jobs.finish(first, JobState.DONE, result={"text": "So."})
    assert client.submit_try(asked(writer)) == f"{first}-2"


def test_a_stopped_answer_keeps_what_was_written(workspace: Path) -> None:
    # Deep enough that it is still writing, seconds later, when it is told to stop.
    writer = stored_writer(workspace / "models" / "slow", layers=48, context=2048)
    steps = DirectSteps("stopped", lambda *_: None)
    steps.cancelled = lambda: bool(steps.partial.get("text"))
    with pytest.raises(TaskCancelled):
        try_out(steps, replace(asked(writer), prompt="The", most=1000))
    assert steps.partial["text"]


def test_the_host_knows_the_kind() -> None:
    from engine.jobs.host import kinds

    assert kinds()["try"].function is pipeline.try_out
