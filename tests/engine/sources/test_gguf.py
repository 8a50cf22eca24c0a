"""GGUF files as they arrive: kept and run, or refused in a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine import registry
from engine.errors import BadRequest, InvalidModel, NoRoute, UnsupportedModel
from engine.formats.gguf.quantizations import GgufOptions
from engine.knowledge import reach_from
from engine.settings import settings
from engine.sources import models_folder
from engine.types import RunnerOptions, Signature, TensorSpec
from tests import models
from tests.engine.sources.conftest import Bring, refused
from tests.gguf_files import ARRAY, I32, TEXT, U32, WORDS, write_llama


def test_a_file_becomes_a_runnable_original(bring: Bring, tmp_path: Path) -> None:
    found = bring(write_llama(tmp_path / "tiny.gguf"))
    assert (found["kind"], found["format"], found["variant"]) == ("gguf", "gguf", "F32")
    assert found["signature_origin"] == "carried"
    assert found["signature"]["inputs"][0]["high"] == WORDS
    assert found["facts"]["Context length"] == "64"
    assert not found["notes"]


def test_a_name_that_promises_something_else_is_noted(bring: Bring, tmp_path: Path) -> None:
    found = bring(write_llama(tmp_path / "tiny.onnx"))
    assert found["format"] == "gguf"
    assert "promises ONNX; its bytes are GGUF" in found["notes"][0]


def test_a_persons_signature_may_fix_the_length(bring: Bring, tmp_path: Path) -> None:
    fixed = Signature((TensorSpec("input_ids", "int64", ("rows", 8), low=3, high=WORDS),))
    found = bring(write_llama(tmp_path / "tiny.gguf"), signature=fixed)
    assert found["signature_origin"] == "given"
    assert found["signature"]["outputs"][0]["shape"] == ["rows", 8, WORDS]


@pytest.mark.parametrize("keep", [0.01, 0.3, 0.9, 0.999])
def test_cut_short(bring: Bring, tmp_path: Path, keep: float) -> None:
    whole = write_llama(tmp_path / "whole.gguf").read_bytes()
    path = tmp_path / "cut.gguf"
    path.write_bytes(whole[: int(len(whole) * keep)])
    assert "damaged" in refused(bring, path, InvalidModel).message


def test_an_architecture_llama_cpp_does_not_know(bring: Bring, tmp_path: Path) -> None:
    path = write_llama(tmp_path / "a.gguf", **{"general.architecture": (TEXT, "nobody")})
    assert "unknown model architecture: 'nobody'" in refused(bring, path, UnsupportedModel).message


def test_sizes_that_contradict_the_weights(bring: Bring, tmp_path: Path) -> None:
    path = write_llama(tmp_path / "a.gguf", **{"llama.embedding_length": (U32, 64)})
    assert "llama.cpp failed" in refused(bring, path, BadRequest).message


def test_a_vocabulary_that_cannot_spell_is_verified_without_a_text(tmp_path: Path) -> None:
    """No tokens for single bytes: llama.cpp would end the process at the first unknown sign."""
    plain = {"tokenizer.ggml.token_type": (ARRAY, (I32, [2, 3, 3, *[1] * (WORDS - 3)]))}
    path = write_llama(tmp_path / "tiny.gguf", **plain)
    read = registry.format_named("gguf").read_signature
    assert read is not None
    original = models.artifact("gguf", path, read(path))
    runner: Any
    with (
        registry.open_runner(original, RunnerOptions()) as runner,
        pytest.raises(UnsupportedModel, match="no tokens for single bytes"),
    ):
        runner.tokenize("x")
    found = models.verified(original, original, tmp_path)
    assert (found.verdict, found.language) == ("exact", None)


def test_it_leads_to_other_gguf_files_only(tmp_path: Path) -> None:
    path = write_llama(tmp_path / "tiny.gguf")
    read = registry.format_named("gguf").read_signature
    assert read is not None
    original = models.artifact("gguf", path, read(path))
    assert registry.targets("gguf", original) == ("gguf",)
    reach = {item.format: item for item in reach_from(original)}
    assert reach["gguf"].reachable
    assert not reach["onnx"].reachable and "no graph" in reach["onnx"].reason
    with pytest.raises(NoRoute, match="from gguf to onnx"):
        registry.route("gguf", "onnx", original)


def test_a_quantized_file_is_held_against_the_one_it_came_from(tmp_path: Path) -> None:
    path = write_llama(tmp_path / "tiny.gguf")
    read = registry.format_named("gguf").read_signature
    assert read is not None
    original = models.artifact("gguf", path, read(path))
    out = tmp_path / "q8.gguf"
    made = registry.edge("gguf", "gguf")(original, out, GgufOptions(type="Q8_0"))
    found = models.verified(original, models.artifact("gguf", out, made.signature), tmp_path)
    worst = max(output.relative or 0 for case in found.cases for output in case.outputs)
    assert not any(case.error for case in found.cases)
    assert 0 < worst < 0.05


def test_the_models_folder_lists_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_llama(tmp_path / "tiny.gguf")
    monkeypatch.setenv("ASSAY_MODELS", str(tmp_path))
    settings.cache_clear()
    assert models_folder() == ("tiny.gguf",)
    settings.cache_clear()
