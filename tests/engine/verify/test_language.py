"""Language models on a text: the figures by hand, and what they decide."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import registry, texts
from engine.architectures import folder, spec_for, tokenizer
from engine.errors import BadRequest, InvalidModel
from engine.records import dump, parse
from engine.samples.llama import CONFIG, make
from engine.samples.tokenizer import text
from engine.tasks import reference as reference_task
from engine.tasks import verify as verify_task
from engine.types import Artifact, Feed, Signature, TensorSpec
from engine.verify import language
from engine.verify.gate import judge
from engine.verify.model import LanguageComparison, Thresholds, Verdict, Verification, Window
from tests.models import artifact, converted, eager, stored_writer, task_folder, verified

WORDS = 3
SIGNATURE = Signature(
    (TensorSpec("input_ids", "int64", ("batch", "sequence"), 0, WORDS),),
    (TensorSpec("logits", "float32", ("batch", "sequence", WORDS)),),
)
SMALL = {**CONFIG, "hidden_size": 256, "intermediate_size": 256, "num_hidden_layers": 1}


def constant(chances: list[float]) -> Callable[[Feed], dict[str, np.ndarray]]:
    """A model that expects the same after every word."""

    def infer(feed: Feed) -> dict[str, np.ndarray]:
        with np.errstate(divide="ignore"):
            row = np.log(np.array(chances, np.float32)) + 5  # a shift changes no chance
        return {"logits": np.broadcast_to(row, (*feed["input_ids"].shape, WORDS)).copy()}

    return infer


def compared(
    home: Path, before: list[float], after: Callable[[Feed], dict[str, np.ndarray]]
) -> LanguageComparison:
    tokens = np.array([[0, 0, 1, 2]])
    assert language.save(home, [tokens], constant(before), SIGNATURE) == 1
    found = language.compare(home, SIGNATURE, after)
    assert found is not None
    return found


def test_the_figures_are_the_ones_of_the_books(tmp_path: Path) -> None:
    before, after = [0.5, 0.25, 0.25], [0.25, 0.5, 0.25]
    found = compared(tmp_path, before, constant(after))
    # Three places have a next word: 0, 1 and 2.
    assert found.places == 3
    assert found.kl_mean == pytest.approx(0.25 * math.log(2), rel=1e-5)
    assert found.kl_max == pytest.approx(found.kl_mean)
    assert found.top1_agree == 0
    assert found.perplexity_reference == pytest.approx((2 * 4 * 4) ** (1 / 3), rel=1e-5)
    assert found.perplexity_candidate == pytest.approx((4 * 2 * 4) ** (1 / 3), rel=1e-5)
    assert found.perplexity_ratio == pytest.approx(1, rel=1e-5)
    assert found.windows == (
        Window(3, 0, pytest.approx(math.log(32)), pytest.approx(math.log(32))),
    )
    assert found.ratio_interval is found.top1_interval is None  # one window says nothing of others


def test_the_same_model_is_exact(tmp_path: Path) -> None:
    found = compared(tmp_path, [0.5, 0.25, 0.25], constant([0.5, 0.25, 0.25]))
    assert (found.kl_mean, found.top1_agree, found.perplexity_ratio) == (0, 3, 1)
    assert judged(found).verdict is Verdict.EXACT


@pytest.mark.parametrize("many", [2, 7, 8])
def test_intervals_are_by_windows(tmp_path: Path, many: int) -> None:
    """A hundred places that all say what their window says are not a hundred witnesses."""
    read = [np.full((1, 100), index % 2) for index in range(many)]
    before = constant([0.5, 0.25, 0.25])
    assert language.save(tmp_path, read, before, SIGNATURE) == many
    found = language.compare(tmp_path, SIGNATURE, constant([0.25, 0.5, 0.25]))
    assert found is not None and found.ratio_interval is not None
    assert len(found.windows) == many and found.places == 99 * many
    low, high = found.ratio_interval
    assert low < 1 / 1.3 and high > 1.3  # by places it would be 1 ± 0.05 of eight windows
    assert f"by the {many} windows" in found.intervals
    assert ("wide" in found.intervals) == (many < 8)


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (constant([math.nan, 0.5, 0.5]), "not finite"),
        (constant([0.0, 0.5, 0.5]), "not finite"),  # what the original expects is impossible here
        (lambda feed: {"logits": constant([1, 1, 1])(feed)["logits"][:, :, :2]}, "[1, 4, 2]"),
    ],
)
def test_logits_that_say_nothing_are_broken(tmp_path: Path, after: Any, said: str) -> None:
    verdict = judged(compared(tmp_path, [0.5, 0.25, 0.25], after))
    assert verdict.verdict is Verdict.BROKEN
    assert said in verdict.sentence


def test_a_refusal_is_a_finding(tmp_path: Path) -> None:
    def refuse(feed: Feed) -> dict[str, np.ndarray]:
        raise BadRequest("It takes at most 2 tokens.")

    verdict = judged(compared(tmp_path, [0.5, 0.25, 0.25], refuse))
    assert verdict.verdict is Verdict.BROKEN
    assert "at most 2 tokens" in verdict.sentence


def judged(found: LanguageComparison, thresholds: Thresholds | None = None) -> Verification:
    return judge("a", (), thresholds or Thresholds(), {}, 1, found)


def read(**changes: Any) -> LanguageComparison:
    """A good result of a thousand places, changed."""
    good = LanguageComparison("", 1000, 1e-5, 1e-4, 999, (0.99, 1), 10.0, 10.0, (0.99, 1.01))
    return replace(good, **changes)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (read(), Verdict.EQUIVALENT),
        (read(kl_mean=0.0011), Verdict.DEGRADED),
        (read(perplexity_candidate=10.2), Verdict.DEGRADED),
        (read(perplexity_candidate=9.0), Verdict.EQUIVALENT),  # less unsure is no loss
        (read(kl_mean=0.19, top1_agree=760), Verdict.DEGRADED),
        (read(kl_mean=0.21), Verdict.BROKEN),
        (read(kl_mean=0.1, top1_agree=740), Verdict.BROKEN),
        (read(kl_mean=0.1, perplexity_candidate=12.1), Verdict.BROKEN),
    ],
)
def test_each_limit_decides(found: LanguageComparison, verdict: Verdict) -> None:
    assert judged(found).verdict is verdict
    assert "nats" in judged(found).sentence


def test_the_limits_can_be_changed() -> None:
    lax = Thresholds(degraded_kl=1, degraded_language_top1=0, degraded_perplexity=2)
    assert judged(read(kl_mean=0.9, top1_agree=1), lax).verdict is Verdict.DEGRADED


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The sample in small."""
    path = tmp_path_factory.mktemp("llama") / "model"
    make(spec_for("transformers", SMALL), path, lambda *_: None)
    return artifact("torch", path, folder.read_signature(path))


@pytest.fixture(scope="module")
def reference(llama: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the sample says to every case, and to the text."""
    out = task_folder(tmp_path_factory.mktemp("reference"))
    known = reference_task.run({"artifact": dump(llama), "seed": 1, "batches": [1, 2]}, out)
    assert known["windows"] == 5
    return out.out


def against(reference: Path, candidate: Artifact, work: Path) -> Verification:
    request = {
        "artifact": dump(candidate),
        "reference": str(reference),
        "thresholds": dump(Thresholds()),
        "seed": 1,
    }
    return parse(Verification, verify_task.run(request, task_folder(work))["verification"])


def changed(llama: Artifact, out: Path, change: Callable[[Any], Any]) -> Artifact:
    """The model with every matrix changed."""
    weights = {
        name: change(weight) if weight.ndim == 2 else weight
        for name, weight in folder.build(llama.path).state_dict().items()
    }
    spec = folder.read_spec(llama.path)
    names = {
        name.removeprefix(
            "model.",
        ): weight
        for name, weight in weights.items()
    }
    signature, _ = folder.write(out, spec, names, llama.signature)
    return artifact("torch", out, signature)


def steps(levels: int) -> Callable[[Any], Any]:
    """Weights rounded to so many steps between a row's extremes: a plain quantization."""

    def change(weight: Any) -> Any:
        scale = weight.abs().amax(1, keepdim=True) / (levels // 2)
        return (weight / scale).round() * scale

    return change


def test_a_coarser_model_is_worse_and_says_so(
    llama: Artifact, reference: Path, tmp_path: Path
) -> None:
    coarse = {
        levels: changed(llama, tmp_path / str(levels), steps(levels)) for levels in (256, 16, 2)
    }
    found = {
        levels: against(reference, made, tmp_path / f"v{levels}") for levels, made in coarse.items()
    }
    divergence = [item.language.kl_mean or 9 for item in found.values() if item.language]
    assert divergence == sorted(divergence)
    assert [item.verdict for item in found.values()] == [
        Verdict.EQUIVALENT,
        Verdict.DEGRADED,
        Verdict.BROKEN,
    ]


def test_another_format_reads_the_same_text(
    llama: Artifact, reference: Path, tmp_path: Path
) -> None:
    made = converted(llama, "torchscript", tmp_path / "ts")
    found = against(reference, made, tmp_path / "v")
    assert found.language is not None
    assert found.language.places > 900
    assert found.language.perplexity_ratio == pytest.approx(1, abs=1e-4)
    assert found.verdict in (Verdict.EXACT, Verdict.EQUIVALENT)


def test_gguf_is_judged_by_the_text(llama: Artifact, reference: Path, tmp_path: Path) -> None:
    whole = converted(llama, "gguf", tmp_path / "F32")
    made = {"F32": whole}
    for name in ("Q8_0", "Q4_0"):
        path = tmp_path / f"{name}.gguf"
        options = registry.format_named("gguf").options(type=name)
        done = registry.edge("gguf", "gguf")(whole, path, options)
        made[name] = artifact("gguf", path, done.signature)
    data = bytearray(whole.path.read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    (tmp_path / "zeroed.gguf").write_bytes(data)
    made["zeroed"] = artifact("gguf", tmp_path / "zeroed.gguf", whole.signature)
    found = {name: against(reference, one, tmp_path / f"v{name}") for name, one in made.items()}
    assert {name: one.verdict for name, one in found.items()} == {
        "F32": Verdict.EQUIVALENT,
        "Q8_0": Verdict.EQUIVALENT,
        "Q4_0": Verdict.DEGRADED,
        "zeroed": Verdict.BROKEN,
    }
    assert "nats" in found["Q4_0"].sentence


def test_a_gguf_original_reads_by_its_own_tokenizer(workspace: Path, tmp_path: Path) -> None:
    own = stored_writer(workspace / "models" / "writer").artifact
    found = verified(own, own, tmp_path)
    assert found.verdict is Verdict.EXACT
    assert found.language is not None
    assert found.language.places > 800
    assert found.language.perplexity_reference == found.language.perplexity_candidate


def test_what_is_no_language_model_reads_nothing(tmp_path: Path) -> None:
    digits = eager(tmp_path / "digits")
    assert verified(digits, digits, tmp_path).language is None


def test_the_judging_text_is_in_no_training() -> None:
    known = text()
    lines = [line for line in texts.held_out().splitlines() if line]
    assert len(lines) > 8
    assert not any(sentence in known for line in lines for sentence in line.split(". "))


def test_a_tokenizer_that_is_damaged_is_said(tmp_path: Path) -> None:
    assert tokenizer.tokenize(tmp_path, "word") is None
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(InvalidModel, match="tokenizer beside this model"):
        tokenizer.tokenize(tmp_path, "word")
