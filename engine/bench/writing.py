"""Language models writing token by token, under the clock. Nanoseconds throughout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter_ns

import numpy as np

from engine.types import Generates, Runner, TensorSpec

FEWEST = 8
"""Tokens that every writing has, however slow the model."""


@dataclass(frozen=True, slots=True)
class Rereads:
    """Writes with a runner that keeps nothing: for every token the whole text is read again.

    ``tokens`` is the runner's own input, [1, length]; of its logits the last row decides.
    """

    runner: Runner
    tokens: TensorSpec
    manner: str = "nothing is kept, so that every token reads the whole text again"

    def write(self, prompt: Sequence[int], count: int, heard: Callable[[int], None]) -> None:
        """Exactly ``count`` tokens after ``prompt``, each the likeliest."""
        text = np.empty((1, len(prompt) + count), self.tokens.dtype)
        text[0, : len(prompt)] = prompt
        for length in range(len(prompt), len(prompt) + count):
            answer = self.runner.infer({self.tokens.name: text[:, :length].copy()})
            token = int(next(iter(answer.values()))[0, -1].argmax())
            text[0, length] = token
            heard(token)


@dataclass(frozen=True, slots=True)
class Written:
    """One writing: until the first token was known, and from each to the next."""

    first_ns: int
    next_ns: tuple[int, ...]


def write(writer: Generates | Rereads, prompt: Sequence[int], count: int) -> Written:
    """Let it write once."""
    came: list[int] = []
    begin = perf_counter_ns()
    writer.write(prompt, count, lambda _: came.append(perf_counter_ns()))
    return Written(came[0] - begin, tuple(later - sooner for sooner, later in pairwise(came)))


def count_for(warm: Written, most: int, cap_s: float) -> int:
    """As many tokens as a writing of ``cap_s`` seconds holds at the pace of ``warm``."""
    pace = max(1, min(warm.next_ns))
    room = cap_s * 1e9 - warm.first_ns
    return max(min(FEWEST, most), min(most, int(room / pace)))
