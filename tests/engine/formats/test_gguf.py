"""GGUF made, made smaller, and made to talk, by the pinned llama.cpp."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine import registry
from engine.architectures import folder
from engine.errors import BadRequest, UnsupportedModel
from engine.formats.gguf.about import read_signature
from engine.formats.gguf.file import check
from engine.formats.gguf.quantizations import QUANTIZATIONS, GgufOptions
from engine.formats.gguf.quantize import fallbacks
from engine.formats.gguf.runner import LlamaRunner
from engine.options import choices
from engine.registry import Conversion
from engine.types import (
    Artifact,
    Caching,
    Generates,
    RunnerOptions,
    Sampling,
    Signature,
    TensorSpec,
)
from engine.verify.inputs import feed
from tests import models
from tests.gguf_files import U32, write_llama

PROMPT = "the cat sat on the mat"


@pytest.fixture(scope="module")
def eager(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return models.language_model(tmp_path_factory.mktemp("eager") / "torch")


@pytest.fixture(scope="module")
def whole(eager: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The same in F32."""
    return models.converted(eager, "gguf", tmp_path_factory.mktemp("whole"))


def quantized(source: Artifact, out: Path, type: str) -> tuple[Artifact, Conversion]:
    made = registry.edge("gguf", "gguf")(source, out, GgufOptions(type=type))
    return models.artifact("gguf", out, made.signature), made


def relative(expected: np.ndarray, found: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize(("type", "most"), [("Q8_0", 0.03), ("Q4_K_M", 0.2)])
def test_one_request_makes_any_type(
    eager: Artifact, tmp_path: Path, type: str, most: float
) -> None:
    out = tmp_path / "model.gguf"
    made = registry.edge("torch", "gguf")(eager, out, GgufOptions(type=type))
    assert [item.name for item in tmp_path.iterdir()] == ["model.gguf"], "nothing is left behind"
    assert made.variant == type == made.step.options["type"]
    given = feed(made.signature, "random", 3, 1)
    expected = models.infer(eager, given)["logits"]
    found = models.infer(models.artifact("gguf", out, made.signature), given)["logits"]
    assert 0 < relative(expected, found) < most


def test_every_type_the_library_offers_is_there() -> None:
    """And the list is the library's: what its quantizer takes, no more and no less.

    Each is written, with an importance matrix and without, in test_gguf_weighing.py.
    """
    import llama_cpp

    named = {
        number: name.removeprefix("LLAMA_FTYPE_").removeprefix("MOSTLY_").removeprefix("ALL_")
        for name, number in vars(llama_cpp).items()
        if name.startswith("LLAMA_FTYPE_") and name != "LLAMA_FTYPE_GUESSED"
    }
    # NVFP4 files are read, but this quantizer does not write them; the last two have no name yet.
    offered = set(named.values()) - {"NVFP4"} | {"Q1_0", "Q2_0"}
    assert set(QUANTIZATIONS) == offered
    assert all(named.get(item.number, name) == name for name, item in QUANTIZATIONS.items())


def test_the_types_are_the_formats_one_choice_in_families() -> None:
    _, choice = choices(registry.format_named("gguf").options)
    assert choice.many and choice.default == "F32"
    assert choice.values["Q4_K_M"] == "Q4_K_M · 4.84 bits"
    grouped = [value for group in choice.groups for value in group.values]
    assert grouped == list(choice.values), "each type stands in one family, in the list's order"
    (alone,) = (group for group in choice.groups if "IQ2_XXS" in group.values)
    assert alone.label == "Only with an importance matrix"
    assert all(QUANTIZATIONS[name].needs_matrix for name in alone.values)


def test_types_that_need_an_importance_matrix_are_refused_before_anything_runs(
    eager: Artifact, whole: Artifact, tmp_path: Path
) -> None:
    for source in (eager, whole):
        with pytest.raises(UnsupportedModel, match="importance matrix"):
            registry.edge(source.format, "gguf")(
                source, tmp_path / "a.gguf", GgufOptions(type="IQ2_XXS")
            )
    assert not list(tmp_path.iterdir())


def test_tensors_that_fell_back_are_named(whole: Artifact, tmp_path: Path) -> None:
    """Rows of 64 fit no super-block of 256: what llama.cpp then does is read from the file."""
    model, made = quantized(whole, tmp_path / "k.gguf", "Q4_K_M")
    header = check(model.path)
    fallen = fallbacks(header, QUANTIZATIONS["Q4_K_M"])
    assert "blk.0.attn_q.weight (Q5_0)" in fallen
    assert not any("_K" in name for name in header.mix)
    assert f"{len(fallen)} of {len(header.tensors)} tensors fell back" in made.step.notes[1]
    assert made.report.splitlines()[1:] == list(fallen), "the note shows some, the report all"
    assert not fallbacks(header, QUANTIZATIONS["Q4_0"]), "rows of 64 fit blocks of 32"


def test_quantizing_twice_is_said(whole: Artifact, tmp_path: Path) -> None:
    first, made = quantized(whole, tmp_path / "a.gguf", "Q8_0")
    assert not any("already" in note for note in made.step.notes)
    _, again = quantized(first, tmp_path / "b.gguf", "Q4_0")
    assert any("were Q8_0 already" in note for note in again.step.notes)
    with pytest.raises(BadRequest, match="Q8_0 already"):
        quantized(first, tmp_path / "c.gguf", "Q8_0")


def test_rows_are_sequences_of_their_own(whole: Artifact) -> None:
    given = feed(whole.signature, "random", 4, 2)
    together = models.infer(whole, given)["logits"]
    for row in range(4):
        alone = models.infer(whole, {"input_ids": given["input_ids"][row : row + 1]})["logits"]
        np.testing.assert_allclose(together[row : row + 1], alone, rtol=1e-5, atol=1e-6)


def test_keys_and_values_are_what_llama_cpp_says_they_are(tmp_path: Path) -> None:
    """In F32, as the file is: one layer, two heads of 16 for keys and as many for values."""
    path = write_llama(tmp_path / "model.gguf", **{"llama.context_length": (U32, 512)})
    model = models.artifact("gguf", path, read_signature(path))
    with registry.open_runner(model, RunnerOptions()) as runner:
        assert isinstance(runner, Caching)
        assert runner.cache_bytes() == (None, None)
        runner.infer({"input_ids": np.ones((2, 300), np.int64)})
        computed, told = runner.cache_bytes()
    assert computed is not None and told is not None
    tokens, rest = divmod(computed, 2 * (16 + 16) * 4)
    assert rest == 0 and tokens >= 2 * 300
    assert abs(computed - told) <= 0.005 * 1024**2, "llama.cpp says hundredths of a MiB"


def test_a_runner_takes_one_size_after_another(eager: Artifact, whole: Artifact) -> None:
    with registry.open_runner(whole, RunnerOptions()) as runner:
        for batch, length in ((1, 5), (3, 40), (1, 64), (2, 1), (1, 5)):
            given = feed(whole.signature, "random", batch, 3, sizes={"sequence": length})
            expected = models.infer(eager, given)["logits"]
            found = runner.infer(given)["logits"]
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (np.full((1, 4), 300), "0 to 299; it was given 300"),
        (np.full((1, 4), -1), "it was given -1"),
        (np.zeros((1, 65), np.int64), "at most 64 tokens; it was given 65"),
    ],
)
def test_tokens_the_model_does_not_have_are_refused(
    whole: Artifact, tokens: np.ndarray, said: str
) -> None:
    with pytest.raises(BadRequest, match=said):
        models.infer(whole, {"input_ids": tokens})


@pytest.fixture
def talker(whole: Artifact) -> LlamaRunner:
    return LlamaRunner(whole.path, whole.signature, RunnerOptions())


def test_text_and_tokens_are_the_tokenizers(talker: LlamaRunner) -> None:
    import sentencepiece

    theirs = sentencepiece.SentencePieceProcessor(model_proto=models.sentencepiece_model())
    with talker:
        for text in (PROMPT, "Ünïcode 🐈 and\ttabs", "unheard words"):
            assert talker.tokenize(text) == [1, *theirs.encode(text)], text
            assert talker.detokenize(theirs.encode(text)).strip() == text


def test_a_text_may_have_more_tokens_than_bytes(tmp_path: Path) -> None:
    """Where no token is a space, each takes three: the three bytes of its sign."""
    path = write_llama(tmp_path / "tiny.gguf")
    with LlamaRunner(path, read_signature(path), RunnerOptions()) as runner:
        tokens = runner.tokenize(" " * 40)
    assert tokens == [1, *[3 + octet for octet in "▁".encode()] * 41]


def test_greedy_answers_are_the_original_s(eager: Artifact, talker: LlamaRunner) -> None:
    with talker:
        given = talker.tokenize(PROMPT)
        answer = [token.id for token in talker.generate(PROMPT, 12, stop_at_end=False)]
        assert [t.id for t in talker.generate(given, 12, stop_at_end=False)] == answer
    expected = list(given)
    for _ in range(12):
        logits = models.infer(eager, {"input_ids": np.array([expected])})["logits"]
        expected.append(int(logits[0, -1].argmax()))
    assert answer == expected[len(given) :]


def test_answers_come_as_they_are_made(talker: LlamaRunner) -> None:
    with talker:
        stream = talker.generate(PROMPT, 5, stop_at_end=False)
        first = next(stream)
        stream.close()
        tokens = list(talker.generate(PROMPT, 5, stop_at_end=False))
    assert tokens[0] == first and len(tokens) == 5


def test_so_many_tokens_as_are_asked_for_are_written(talker: LlamaRunner) -> None:
    heard: list[int] = []
    with talker:
        assert isinstance(talker, Generates)
        assert talker.manner == "llama.cpp, keys and values kept in F32"
        given = talker.tokenize(PROMPT)
        talker.write(given, 7, heard.append)
        answer = [token.id for token in talker.generate(given, 7, stop_at_end=False)]
        with pytest.raises(BadRequest, match="at most 64 tokens; it was given 65"):
            talker.write(given, 65 - len(given), heard.append)
        with pytest.raises(BadRequest, match="nothing to go on from"):
            talker.write([], 3, heard.append)
    assert heard == answer


def test_a_seed_repeats_an_answer(talker: LlamaRunner) -> None:
    def answer(seed: int) -> list[int]:
        hot = Sampling(temperature=2.0, top_k=0, top_p=1.0, seed=seed)
        return [token.id for token in talker.generate(PROMPT, 20, hot, stop_at_end=False)]

    with talker:
        assert answer(1) == answer(1) != answer(2)


def test_an_answer_ends_with_the_context(talker: LlamaRunner) -> None:
    with talker:
        given = talker.tokenize(PROMPT)
        made = list(talker.generate(given, 1000, stop_at_end=False))
        assert len(given) + len(made) == talker.context_length == 64
        with pytest.raises(BadRequest, match="at most 64"):
            talker.generate([5] * 64, 1)
        with pytest.raises(BadRequest, match="nothing to go on from"):
            talker.generate([], 1)


def test_a_mask_is_left_out_and_the_candidate_still_compared(
    eager: Artifact, tmp_path: Path
) -> None:
    tokens: tuple[int | str, ...] = ("batch", "sequence")
    mask = TensorSpec("attention_mask", "int64", tokens, low=1, high=2)
    spec, weights = folder.read_spec(eager.path), folder._weights(eager.path / folder.WEIGHTS)
    wanted = Signature((*eager.signature.inputs, mask), eager.signature.outputs)
    signature, _ = folder.write(tmp_path / "torch", spec, weights, wanted)
    (tmp_path / "torch" / "tokenizer.model").write_bytes(models.sentencepiece_model())
    masked = models.artifact("torch", tmp_path / "torch", signature)
    out = tmp_path / "masked.gguf"
    made = registry.edge("torch", "gguf")(masked, out, GgufOptions())
    assert [spec.name for spec in made.signature.inputs] == ["input_ids"]
    assert "attention_mask" in made.step.notes[0]
    found = models.verified(masked, models.artifact("gguf", out, made.signature), tmp_path / "v")
    assert found.verdict == "equivalent", found.sentence
