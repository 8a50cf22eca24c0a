"""The LLaMA-7B shape: the same code at a tiny size, and the sizes of the large one."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine import registry, texts
from engine.errors import Reason, StorageFull, TaskFailed
from engine.samples import llama7b, sample_named, tokenizer
from engine.samples.llama7b import SHAPE, TYPES, Shape, available_memory, make, size_of
from engine.tasks import identify
from engine.types import RunnerOptions
from tests.models import artifact, task_folder

TINY = Shape(layers=2, width=256, inner=512, heads=4, vocabulary=3000, context=128)
Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize("name", TYPES)
def test_llama_cpp_runs_what_was_written(name: str, workspace: Path, tmp_path: Path) -> None:
    said: list[tuple[str, float | None]] = []
    path = tmp_path / "model.gguf"
    make(TINY, TYPES[name], path, lambda *what: said.append(what))
    form = registry.format_named("gguf")
    assert form.read_signature is not None
    parameters, _, facts = form.describe(path)
    assert parameters == 2 * 3000 * 256 + 2 * (4 * 256**2 + 3 * 256 * 512 + 2 * 256) + 256
    assert facts["Type"] == name
    assert facts["Vocabulary"] == "3,000 tokens"
    assert 0 < path.stat().st_size - size_of(TINY, TYPES[name]) < 200_000
    fractions = [fraction for _, fraction in said]
    assert len(said) == 21
    assert fractions == sorted(fractions)
    model = artifact("gguf", path, form.read_signature(path))
    with registry.open_runner(model, RunnerOptions()) as runner:
        tokens = np.array([[1, 300, 17, 2999]])
        (logits,) = runner.infer({"input_ids": tokens}).values()
        assert logits.shape == (1, 4, 3000)
        assert np.isfinite(logits).all()
        assert 0.1 < logits.std() < 10
        written = list(runner.generate("The river", 6, stop_at_end=False))
    assert len(written) == 6


@pytest.mark.parametrize(
    "text",
    [texts.held_out(), "two  spaces,  and at the end ", "a\ttab\n\nlines", "½ cup ﬁne ① café 🐈"],
)
def test_llama_cpp_reads_a_text_as_the_sample_tokenizer_does(text: str, tmp_path: Path) -> None:
    """Nothing is normalized and no space left out: llama.cpp does neither."""
    exact = replace(TINY, layers=1, vocabulary=tokenizer.SIZE)
    make(exact, TYPES["Q8_0"], tmp_path / "model.gguf", lambda *_: None)
    form = registry.format_named("gguf")
    assert form.read_signature is not None
    model = artifact("gguf", tmp_path / "model.gguf", form.read_signature(tmp_path / "model.gguf"))
    with registry.open_runner(model, RunnerOptions()) as runner:
        assert runner.tokenize(text) == tokenizer.encode(text)


def test_it_is_brought_like_any_sample(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llama7b, "SHAPE", TINY)
    request = {"origin": "sample", "source": "llama7b-q4_0", "name": "", "signature": None}
    found = identify.run(request, task_folder(tmp_path))["model"]
    assert (found["kind"], found["format"]) == ("sample", "gguf")
    assert found["name"] == "LLaMA-7B shape, Q4_0"
    assert found["signature"]["inputs"][0]["high"] == 3000
    assert (tmp_path / found["path"]).suffix == ".gguf"


def test_the_same_file_every_time(workspace: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        make(TINY, TYPES["Q4_0"], tmp_path / name, lambda *_: None)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_the_sizes_are_the_ones_of_the_table() -> None:
    sizes = {name: size_of(SHAPE, kind) / 1e9 for name, kind in TYPES.items()}
    assert sizes == pytest.approx({"Q4_0": 3.79, "Q8_0": 7.16, "F16": 13.48}, abs=0.01)
    assert "13.5 GB" in sample_named("llama7b-f16").sentence


def test_too_little_disk_is_refused_with_the_numbers(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llama7b.shutil, "disk_usage", lambda _: Usage(9, 9, 3 * 2**30))
    with pytest.raises(StorageFull, match=r"takes 3\.8 GB; the disk has 2\.1 GB for it"):
        make(SHAPE, TYPES["Q4_0"], tmp_path / "model.gguf", lambda *_: None)
    assert not list(tmp_path.glob("*.gguf"))


def test_too_little_memory_is_refused_with_the_numbers(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llama7b, "available_memory", lambda: 8_000_000_000)
    said = r"takes 14\.6 GB of memory \(13\.5 for the weights, 1\.1 for 2,048 .*\); 8\.0 GB are"
    with pytest.raises(TaskFailed, match=said) as caught:
        make(SHAPE, TYPES["F16"], tmp_path / "model.gguf", lambda *_: None)
    assert caught.value.reason is Reason.OUT_OF_MEMORY
    assert not list(tmp_path.glob("*.gguf"))


def test_the_memory_is_the_machines() -> None:
    assert 2**28 < available_memory() < 2**50


def test_the_vocabulary_has_every_token_once() -> None:
    pieces, scores, kinds = llama7b.vocabulary(32000)
    assert len(set(pieces)) == len(pieces) == len(scores) == len(kinds) == 32000
    assert pieces[:3] == ["<unk>", "<s>", "</s>"]
    assert kinds[:3] == [2, 3, 3]
    assert kinds.count(6) == 256
