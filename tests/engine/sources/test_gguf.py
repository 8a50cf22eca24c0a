"""GGUF files as they arrive: kept and run, or refused in a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import registry, store
from engine.errors import InvalidModel, NoRoute, UnsupportedModel
from engine.formats.gguf.matrix import Importance, ImportanceMatrix, write_matrix
from engine.formats.gguf.quantizations import GgufOptions
from engine.knowledge import reach_from
from engine.pipeline import (
    ConvertRequest,
    ImportRequest,
    MeasureRequest,
    TryRequest,
    convert,
    import_model,
    measure,
    try_out,
)
from engine.settings import settings
from engine.sources import models_folder
from engine.types import RunnerOptions, Signature, Target, TensorSpec
from tests import models
from tests.engine.sources.conftest import Bring, refused
from tests.engine.sources.steps import StepsHere
from tests.gguf_files import ARRAY, BOOL, I32, TEXT, U32, WORDS, write_llama


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


ENCODER = {"general.architecture": (TEXT, "bert"), "bert.attention.causal": (BOOL, False)}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (ENCODER, "holds an embedding or encoder model (bert)"),
        ({"general.architecture": (TEXT, "nobody")}, "unknown model architecture: 'nobody'"),
        ({"llama.embedding_length": (U32, 64)}, "llama.cpp failed while loading the model"),
        ({"tokenizer.ggml.tokens": (TEXT, "none")}, "carries no vocabulary"),
        ({"split.count": (U32, 3)}, "one of 3 parts"),
    ],
)
def test_what_cannot_be_run_is_looked_at_all_the_same(
    bring: Bring, tmp_path: Path, changed: dict[str, Any], why: str
) -> None:
    found = bring(write_llama(tmp_path / "a.gguf", **changed))
    assert why in found["barred"]
    assert found["parameters"] and found["facts"]["Tensors"] == "12"
    assert not found["signature"]["inputs"]


def test_other_files_of_llama_cpp_are_looked_at(bring: Bring, tmp_path: Path) -> None:
    """An importance matrix is a GGUF file without an architecture."""
    whole = ImportanceMatrix({"blk.0.x.weight": Importance(np.ones((1, 4)), np.ones(1))}, "", 1, 4)
    write_matrix(whole, tmp_path / "imatrix.gguf")
    found = bring(tmp_path / "imatrix.gguf")
    assert "is of the kind 'imatrix'" in found["barred"]
    assert found["facts"]["Architecture"] == "none named"


def test_a_model_to_be_looked_at_is_kept_with_its_reason_and_refused_by_every_job(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / "folder").mkdir(parents=True)
    write_llama(workspace / "folder" / "a.gguf", **ENCODER)
    monkeypatch.setenv("ASSAY_MODELS", str(workspace / "folder"))
    settings.cache_clear()
    steps = StepsHere(workspace)
    made = import_model(steps, ImportRequest("path", "a.gguf"))["model_id"]
    model = store.models.load(made)
    assert model.barred and not model.reach
    for job, request in (
        (convert, ConvertRequest(made, (Target("gguf"),))),
        (measure, MeasureRequest(made, ())),
        (try_out, TryRequest(made, model.artifact.id, "a prompt")),
    ):
        with pytest.raises(UnsupportedModel, match="can be looked at"):
            job(steps, request)
    metadata, tensors = store.models.listings(model)
    assert ("bert.attention.causal", "yes or no", "no") in metadata.rows
    assert ("output_norm.weight", "32", "F32", 128) in tensors.rows


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
