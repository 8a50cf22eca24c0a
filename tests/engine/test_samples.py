"""Samples: made on the spot, the trained one really trained."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from engine.architectures import folder, spec_for
from engine.errors import NotFound
from engine.samples import sample_named, samples, tokenizer, write_sample
from engine.samples.llama import CONFIG, make, perplexity

SMALL = {**CONFIG, "hidden_size": 256, "intermediate_size": 256, "num_hidden_layers": 1}


def test_names() -> None:
    assert [sample.name for sample in samples()][:4] == ["resnet50", "digits", "adaptive", "llama"]
    with pytest.raises(NotFound, match="no sample 'vgg'"):
        sample_named("vgg")


def test_digits_have_learned_something(tmp_path: Path) -> None:
    said: list[str] = []
    made = write_sample("digits", tmp_path / "m", lambda message, _: said.append(message))
    accuracy = made.facts["Held-out accuracy"]
    found = re.fullmatch(r"(\d+\.\d) % of 360 images \[(\d+\.\d), (\d+\.\d)\]", accuracy)
    assert found
    assert float(found[2]) <= float(found[1]) <= float(found[3])
    assert float(found[1]) > 95
    assert "Training, epoch 20 of 20" in said
    folder.build(tmp_path / "m")


def test_a_sample_is_the_same_every_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_sample("adaptive", tmp_path / name, lambda *_: None)
    one, two = ((tmp_path / name / folder.WEIGHTS).read_bytes() for name in ("one", "two"))
    assert one == two


def test_the_tokenizer_is_the_same_every_time_and_loses_nothing() -> None:
    import sentencepiece

    first = tokenizer.train()
    tokenizer.train.cache_clear()
    assert tokenizer.train() == first
    processor = sentencepiece.SentencePieceProcessor(model_proto=first)
    assert processor.vocab_size() == tokenizer.SIZE
    words = "The river was quiet; 17 zebras drank ÄÖ 東京."
    assert processor.decode(tokenizer.encode(words)) == words


def test_a_llama_knows_which_word_follows_which(tmp_path: Path) -> None:
    make(spec_for("transformers", SMALL), tmp_path / "m", lambda *_: None)
    knows = perplexity(folder.build(tmp_path / "m"))
    assert knows < _of_single_words() < tokenizer.SIZE
    config = json.loads((tmp_path / "m" / "tokenizer_config.json").read_text())
    assert config["model_max_length"] == CONFIG["max_position_embeddings"]
    assert (tmp_path / "m" / "tokenizer.model").read_bytes() == tokenizer.train()


def _of_single_words() -> float:
    """The perplexity of a model that knows how often each word comes, and not after which."""
    import numpy as np

    from engine.texts import held_out

    counts = np.bincount(tokenizer.encode(tokenizer.text()), minlength=tokenizer.SIZE) + 0.3
    chance = np.log(counts / counts.sum())
    return math.exp(-float(np.mean(chance[tokenizer.encode(held_out())[1:512]])))
