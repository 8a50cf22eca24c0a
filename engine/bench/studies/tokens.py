"""Language models: how long until the first token, and from each token to the next."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from time import perf_counter_ns
from typing import Any

import numpy as np

from engine.bench.clock import without_gc
from engine.bench.memory import reset_peak, resident
from engine.bench.model import Variant
from engine.bench.observations import Writing
from engine.bench.studies import Bench, Study
from engine.bench.subject import subject_of
from engine.bench.writing import Rereads, Written, count_for, write
from engine.errors import UnsupportedModel
from engine.jobs.protocol import Context, Limits
from engine.records import dump, parse
from engine.types import Artifact, Generates, Runner
from engine.verify import language

PROMPT = 512
"""Tokens of the long prompt, where the context takes them: the founding document's."""
PROCESSES, REPEATS, LEAST, MOST = 5, 5, 3, 64
"""Of every variant at every length; how often each writes, and how often however slow it is (a
median needs 11 values); how many tokens at most."""
_WARMUP = 4
_WALL_S = 3600.0


def fits(original: Artifact) -> str | None:
    """Why there are no tokens to time; None for a language model."""
    if language.is_language_model(original.signature):
        return None
    return "It does not read tokens and say which comes next."


STUDY = Study(
    "tokens",
    "First and next tokens",
    "How long a language model takes to read a prompt of 512 tokens (or as many as it sees at "
    "once) and give its first token, and then for each further one. Five processes a variant.",
    fits,
)


def run(bench: Bench) -> tuple[Writing, ...]:
    """Every variant in turn; the original first, since a prompt is as long as that one takes."""
    if why := fits(_original(bench)):
        for variant in bench.variants:
            bench.leave_out(variant, why)
    found: list[Writing] = []
    taken: dict[int, int] = {}
    most, cap_s = 0, bench.plan.preset.cap_s
    for process in range(PROCESSES):
        for length in dict.fromkeys((PROMPT, bench.plan.prompt_tokens or PROMPT)):
            for variant in _alone(bench.variants)[:: -1 if process % 2 else 1]:
                asked: dict[str, Any] = {"most": most, "cap_s": cap_s, "fixed": length in taken}
                asked["prompt_tokens"] = taken.get(length, length)
                answer = bench.observe(variant, asked, Limits(wall_s=_WALL_S))
                if answer is not None:
                    found.append(parse(Writing, answer["tokens"]))
                    taken.setdefault(length, found[-1].prompt_tokens)
                    most = answer["most"]
    return tuple(found)


def _original(bench: Bench) -> Artifact:
    plan = bench.plan
    first = next((v for v in plan.variants if v.is_original), plan.variants[0])
    return bench.artifacts[first.artifact_id]


def _alone(variants: tuple[Variant, ...]) -> list[Variant]:
    """One text at a time: whatever batch was measured, each artifact writes alone."""
    smallest = min((v.batch for v in variants), default=1)
    return sorted((v for v in variants if v.batch == smallest), key=lambda v: not v.is_original)


def observe(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """``{"tokens": Writing, "most": …}`` of this very process: it wrote at most so many tokens."""
    subject = subject_of(request, feeds=1)
    artifact = parse(Artifact, request["artifact"])
    start = perf_counter_ns()
    importlib.import_module(subject.import_module)
    imported, alone = perf_counter_ns(), resident().peak_bytes
    with subject.open_runner() as runner:
        loaded = perf_counter_ns()
        keeps = isinstance(runner, Generates)
        writer = runner if isinstance(runner, Generates) else _rereads(runner, artifact)
        prompt, most = _prompt(artifact, runner, request)
        reset_peak()
        with without_gc():
            warm = write(writer, prompt, min(_WARMUP, most))
            count = count_for(warm, most, request["cap_s"])
            context.progress(f"{request['label']}: {count} tokens after {len(prompt)}")
            written = _again_and_again(writer, prompt, count, request["cap_s"])
        after = resident()
    found = Writing(
        variant=subject.variant,
        prompt_tokens=len(prompt),
        keeps=keeps,
        manner=writer.manner,
        import_ns=imported - start,
        load_ns=loaded - imported,
        warmup_ns=warm.first_ns,
        first_ns=tuple(one.first_ns for one in written),
        next_ns=tuple(one.next_ns for one in written),
        imported_bytes=alone,
        peak_bytes=after.peak_bytes,
        anon_bytes=after.anon_bytes,
        file_bytes=after.file_bytes,
    )
    return {"tokens": dump(found), "most": most}


def _rereads(runner: Runner, artifact: Artifact) -> Rereads:
    return Rereads(runner, artifact.signature.inputs[0])


def _again_and_again(
    writer: Generates | Rereads, prompt: list[int], count: int, cap_s: float
) -> list[Written]:
    """``REPEATS`` times, or ``LEAST`` where the time is up before."""
    begin, found = perf_counter_ns(), []
    for done in range(REPEATS):
        if done >= LEAST and perf_counter_ns() - begin >= cap_s * 1e9:
            break
        found.append(write(writer, prompt, count))
    return found


def _prompt(
    artifact: Artifact, runner: Runner, request: Mapping[str, Any]
) -> tuple[list[int], int]:
    """Seeded tokens, the same for every variant, and how many there may be after them.

    A length that is not fixed is cut to what the model sees at once. Raises UnsupportedModel where
    a fixed one leaves no room.
    """
    sees = language.context_of(artifact, runner)
    most = request["most"] or min(MOST, max(2, sees // 4))
    length = int(request["prompt_tokens"])
    if not request["fixed"]:
        length = max(1, min(length, sees - most))
    elif length + most > sees and (hasattr(runner, "context_length") or artifact.format == "torch"):
        raise UnsupportedModel(
            f"It sees {sees} tokens at once; a prompt of {length} and {most} more are too many.",
            hint=f"Ask for a prompt of at most {sees - most} tokens.",
        )
    words = request["signature"]["inputs"][0]
    random = np.random.default_rng(request["seed"])
    return random.integers(int(words["low"] or 0), int(words["high"]), length).tolist(), most
