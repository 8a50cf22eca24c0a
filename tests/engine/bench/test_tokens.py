"""Tokens under the clock: real processes, and every runtime writing the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine import registry
from engine.bench import session
from engine.bench.model import Measurement, MeasurePlan, Preset, Variant
from engine.bench.plan import rounds
from engine.bench.studies import tokens
from engine.bench.writing import FEWEST, Rereads, Written, count_for, write
from engine.data.drawn import DrawnSamples
from engine.errors import BadRequest
from engine.formats.gguf.about import read_signature
from engine.types import Artifact, Change, Generates, RunnerOptions
from tests import models
from tests.engine.bench.test_session import InProcess
from tests.gguf_files import write_llama

TINY = Preset("tiny", 1, 0, 1, 0.0, 2, 0.0, 0.05, 1)
PROMPT = [1, 17, 140, 23, 9]


@pytest.fixture(scope="module")
def eager(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return models.language_model(tmp_path_factory.mktemp("eager") / "torch")


@pytest.fixture(scope="module")
def scripted(eager: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return models.converted(eager, "torchscript", tmp_path_factory.mktemp("scripted"))


def likeliest(model: Artifact, count: int) -> list[int]:
    """By whole texts through ``infer``, one after the other."""
    text = list(PROMPT)
    with registry.open_runner(model, RunnerOptions()) as runner:
        for _ in range(count):
            text.append(
                int(runner.infer({"input_ids": np.array([text])})["logits"][0, -1].argmax())
            )
    return text[len(PROMPT) :]


def test_transformers_writes_with_its_cache_what_whole_texts_give(eager: Artifact) -> None:
    heard: list[int] = []
    with registry.open_runner(eager, RunnerOptions()) as runner:
        assert isinstance(runner, Generates)
        assert runner.context_length == 64
        assert runner.manner == "transformers' generate, keys and values kept in float32"
        runner.write(PROMPT, 12, heard.append)
        with pytest.raises(BadRequest, match="at most 64 tokens; 5 and 60 more"):
            runner.write(PROMPT, 60, heard.append)
    assert heard == likeliest(eager, 12)


def test_an_end_mark_does_not_end_it(tmp_path: Path) -> None:
    """A model whose every token is its end mark."""
    model = models.language_model(tmp_path / "first")
    end = likeliest(model, 1)[0]
    model = models.language_model(tmp_path / "ending", eos_token_id=end)
    heard: list[int] = []
    with registry.open_runner(model, RunnerOptions()) as runner:
        assert isinstance(runner, Generates)
        runner.write(PROMPT, 6, heard.append)
    assert heard[0] == end
    assert len(heard) == 6


@pytest.mark.parametrize("pass_", ["bf16", "int8-dynamic"])
def test_changed_precisions_write_too(eager: Artifact, tmp_path: Path, pass_: str) -> None:
    change = Change(pass_, models.OWN_OPTIONS.get(pass_, {}))
    changed = models.changed(eager, change, tmp_path / "changed", DrawnSamples(eager.signature, 4))
    heard: list[int] = []
    with registry.open_runner(changed, RunnerOptions()) as runner:
        assert isinstance(runner, Generates)
        assert ("bfloat16" in runner.manner) == (pass_ == "bf16")
        runner.write(PROMPT, 3, heard.append)
    assert heard[0] == likeliest(changed, 1)[0]


def test_what_keeps_nothing_reads_all_again_and_writes_the_same(
    eager: Artifact, scripted: Artifact
) -> None:
    heard: list[int] = []
    lengths: list[int] = []
    with registry.open_runner(scripted, RunnerOptions()) as runner:
        assert not isinstance(runner, Generates)
        infer = runner.infer

        def counted(feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            lengths.append(feed["input_ids"].shape[1])
            return infer(feed)

        runner.infer = counted  # type: ignore[method-assign]  # to see what it is given
        Rereads(runner, scripted.signature.inputs[0]).write(PROMPT, 4, heard.append)
    assert heard == likeliest(eager, 4)
    assert lengths == [5, 6, 7, 8]


def test_a_writing_has_a_first_token_and_steps(eager: Artifact) -> None:
    with registry.open_runner(eager, RunnerOptions()) as runner:
        assert isinstance(runner, Generates)
        found = write(runner, PROMPT, 5)
    assert found.first_ns > 0
    assert len(found.next_ns) == 4
    assert min(found.next_ns) > 0


@pytest.mark.parametrize(
    ("first_s", "next_s", "count"),
    [(0.1, 0.01, 64), (1.0, 0.1, 30), (1.0, 2.0, FEWEST), (9.0, 0.1, FEWEST)],
)
def test_slow_models_write_fewer_tokens(first_s: float, next_s: float, count: int) -> None:
    warm = Written(int(first_s * 1e9), (int(next_s * 1e9),) * 3)
    assert count_for(warm, 64, 4.0) == count


def studied(artifacts: dict[str, Artifact], steps: InProcess, own: int = 0) -> Measurement:
    variants = tuple(
        Variant(f"{name}-{batch}", name, model.format, name, batch, 1, name == "original")
        for name, model in artifacts.items()
        for batch in (2, 1)
    )
    order = rounds(tuple(v.key for v in variants), TINY.rounds, 1)
    plan = MeasurePlan(TINY, variants, order, 1, studies=("tokens",), prompt_tokens=own)
    given = {name: replace(model, id=name) for name, model in artifacts.items()}
    return session.run(steps, plan, given, artifacts["original"].signature)


def test_every_artifact_writes_alone_after_both_lengths(
    eager: Artifact, scripted: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "PROCESSES", 2)
    artifacts = {"other": scripted, "original": eager}
    found = studied(artifacts, InProcess(tmp_path), own=7)
    assert found.study_failures == {}
    asked = [(one.variant, one.prompt_tokens) for one in found.tokens]
    there = [("original-1", 48), ("other-1", 48), ("original-1", 7), ("other-1", 7)]
    back = [("other-1", 48), ("original-1", 48), ("other-1", 7), ("original-1", 7)]
    assert asked == there + back
    for one in found.tokens:
        assert one.keeps == (one.variant == "original-1")
        assert ("reads the whole text again" in one.manner) != one.keeps
        assert len(one.first_ns) == len(one.next_ns) <= tokens.REPEATS
        assert all(FEWEST - 1 <= len(steps) <= 15 for steps in one.next_ns)
        assert min(one.first_ns) > 0 and one.load_ns > 0 and one.warmup_ns > 0
        assert one.peak_bytes >= one.anon_bytes > 0


def test_a_prompt_is_as_long_as_the_original_takes_and_others_have_to_take_it(
    eager: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "PROCESSES", 1)
    short = models.language_model(tmp_path / "short", max_position_embeddings=32)
    found = studied({"original": eager, "short": short}, InProcess(tmp_path), own=60)
    assert [one.prompt_tokens for one in found.tokens] == [48, 48]
    said = found.study_failures["tokens: short-1"]
    assert "sees 32 tokens at once; a prompt of 48 and 16 more" in said
    assert list(found.study_failures) == ["tokens: short-1"]


def test_llama_cpp_is_timed_by_its_own_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "PROCESSES", 1)
    path = write_llama(tmp_path / "model.gguf")
    found = studied(
        {"original": models.artifact("gguf", path, read_signature(path))}, InProcess(tmp_path)
    )
    assert found.study_failures == {}
    (one,) = found.tokens
    assert (one.prompt_tokens, one.keeps) == (48, True)
    assert one.manner == "llama.cpp, keys and values kept in F32"


def test_what_is_no_language_model_is_left_out_with_the_reason(tmp_path: Path) -> None:
    digits = models.eager(tmp_path / "digits")
    assert tokens.fits(digits)
    found = studied({"original": digits}, InProcess(tmp_path))
    assert found.tokens == ()
    assert "say which comes next" in found.study_failures["tokens: original-1"]
