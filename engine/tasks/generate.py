"""A language model goes on from a prompt; its text is told while it is made."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine import registry
from engine.errors import BadRequest
from engine.jobs.protocol import Context
from engine.records import parse
from engine.types import Artifact, RunnerOptions, Sampling, Writer

_TELL_EVERY_S = 0.2


def run(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Write up to ``most`` tokens; gives the text, how many tokens there were, and how fast."""
    artifact = parse(Artifact, request["artifact"])
    sampling, most = parse(Sampling, request["sampling"]), int(request["most"])
    context.progress("Loading the model")
    with registry.open_runner(artifact, RunnerOptions(int(request["threads"]))) as runner:
        if not isinstance(runner, Writer):
            label = registry.format_named(artifact.format).label
            raise BadRequest(
                f"{label} is not run as a writer of text.", hint="Try a GGUF artifact."
            )
        prompt = runner.tokenize(request["prompt"])
        _check_room(len(prompt), most, runner.context_length)
        context.progress(f"Reading {len(prompt):,} tokens of prompt")
        told = _Told(context, most)
        for token in runner.generate(prompt, most, sampling):
            told.hear(token.text)
        told.tell()
    return {"prompt_tokens": len(prompt), "most": most, **told.figures()}


def _check_room(prompt: int, most: int, context: int) -> None:
    """Raise BadRequest with the numbers where prompt and answer do not fit the model."""
    if prompt + most > context:
        fits = context - most
        raise BadRequest(
            f"The prompt has {prompt:,} tokens and {most:,} are asked for; "
            f"this model sees {context:,} at once.",
            hint=f"Shorten the prompt to {fits:,} tokens or ask for fewer."
            if fits > 0
            else f"Ask for fewer than {context:,} tokens.",
        )


@dataclass(slots=True)
class _Told:
    """The answer so far: what was told of it, and when its tokens came."""

    context: Context
    most: int
    text: str = ""
    count: int = 0
    started: float = field(default_factory=time.perf_counter)
    first: float = 0.0
    last: float = 0.0
    _told: int = 0
    _told_at: float = 0.0

    def hear(self, text: str) -> None:
        """One more token."""
        self.last = time.perf_counter()
        self.first = self.first or self.last
        self.count += 1
        self.text += text
        if self.last - self._told_at >= _TELL_EVERY_S:
            self.tell()

    def tell(self) -> None:
        """Send on what has come since the last time."""
        rate = self.rate()
        speed = "" if rate is None else f", {rate:.1f} tokens/s"
        new, self._told = self.text[self._told :], len(self.text)
        self._told_at = self.last
        self.context.progress(f"{self.count:,} tokens{speed}", self.count / self.most, text=new)

    def rate(self) -> float | None:
        """Tokens a second after the first; None with fewer than two."""
        spent = self.last - self.first
        return (self.count - 1) / spent if self.count > 1 and spent > 0 else None

    def figures(self) -> dict[str, Any]:
        """How it went: times in seconds, the rate in tokens a second."""
        first = self.first - self.started if self.count else None
        return {
            "text": self.text,
            "tokens": self.count,
            "first_s": first,
            "tokens_per_s": self.rate(),
        }
