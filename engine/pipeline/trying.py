"""Try an artifact out: a prompt in, its text out as it is written."""

from __future__ import annotations

from typing import Any

from engine import processor, registry, store
from engine.errors import BadRequest
from engine.jobs.evidence import plain
from engine.jobs.protocol import LONGEST_TEXT, TEXT, Steps, Task
from engine.pipeline.requests import TryRequest
from engine.records import dump
from engine.types import Artifact, Sampling


def try_out(steps: Steps, request: TryRequest) -> dict[str, Any]:
    """Let an artifact go on from a prompt. Gives its text and how fast it came."""
    artifact = artifact_to_try(request)
    asked = {"artifact_id": artifact.id, "prompt": request.prompt}
    steps.publish(asked)
    result = steps.run(
        Task(
            "generate",
            f"Write with {registry.named(artifact)}",
            {
                "artifact": dump(artifact),
                "prompt": request.prompt,
                "most": request.most,
                "sampling": dump(Sampling(request.temperature, seed=request.seed)),
                "threads": processor.cores(),
            },
        )
    )
    figures = ("tokens", "prompt_tokens", "most", "first_s", "tokens_per_s")
    text = plain(str(result["text"]), LONGEST_TEXT, keep="\n\t")
    return {**asked, TEXT: text, **{name: result[name] for name in figures}}


def artifact_to_try(request: TryRequest) -> Artifact:
    """The artifact of a request that can be tried out. Raises NotFound, BadRequest."""
    model = store.models.runnable(request.model_id)
    own = request.artifact_id == model.artifact.id
    artifact = model.artifact if own else store.artifacts.load(request.artifact_id)[0]
    spec = registry.format_named(artifact.format)
    if not spec.writes_text:
        raise BadRequest(f"{spec.label} is not run as a writer of text.", hint="Convert to GGUF.")
    length = len(request.prompt) if request.prompt.strip() else 0
    for what, value, low, high in (
        ("The prompt has {:,} characters", length, 1, request.LONGEST_PROMPT),
        ("{:,} tokens are asked for", request.most, 1, request.MOST_TOKENS),
        ("The temperature is {:g}", request.temperature, 0, request.HIGHEST_TEMPERATURE),
    ):
        if not low <= value <= high:
            raise BadRequest(
                f"{what.format(value)}; it can be {low:,} to {high:,g}.", hint="Change it."
            )
    return artifact
