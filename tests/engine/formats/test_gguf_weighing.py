"""Quantizing with an importance matrix: from which text, with what effect, and where it lies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import registry, texts
from engine.data.drawn import DrawnSamples
from engine.errors import BadRequest, InvalidModel, UnsupportedModel
from engine.formats.gguf.file import check
from engine.formats.gguf.importance import compute
from engine.formats.gguf.matrix import Importance, ImportanceMatrix, read_matrix
from engine.formats.gguf.quantizations import QUANTIZATIONS, GgufOptions
from engine.formats.gguf.quantize import quantize
from engine.options import choices
from engine.records import dump
from engine.registry import MATRIX, Conversion
from engine.tasks import convert
from engine.types import Artifact, Signature
from tests import models
from tests.gguf_files import llama_shapes, write_llama

WIDTH = 256
"""Rows that every type fits."""
TEXT = "w1 w2 w3 w55 w7 w20 " * 60


@dataclass(frozen=True)
class Brought:
    """Data of a job: a text."""

    pieces: tuple[str, ...] = (TEXT,)

    @property
    def samples(self) -> Any:
        return self

    @property
    def name(self) -> str:
        return "my text"

    def texts(self) -> Iterator[str]:
        return iter(self.pieces)

    def progress(self, message: str, fraction: float | None = None) -> None:
        assert message and fraction is not None and 0 < fraction < 1


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine two would spend their time waiting for each other."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0})


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    path = write_llama(tmp_path_factory.mktemp("wide") / "wide.gguf", width=WIDTH)
    read = registry.format_named("gguf").read_signature
    assert read is not None
    return models.artifact("gguf", path, read(path))


def made(source: Artifact, out: Path, type: str, matrix: str, given: Any = None) -> Conversion:
    options = GgufOptions(matrix=matrix, type=type)
    return registry.edge("gguf", "gguf")(source, out, options, given)


def weights(path: Path) -> bytes:
    """Everything but the header."""
    return path.read_bytes()[check(path).end :]


def test_a_type_that_needs_one_is_made_with_it_and_refused_without(
    source: Artifact, tmp_path: Path
) -> None:
    out = tmp_path / "a.gguf"
    with pytest.raises(UnsupportedModel, match="IQ2_XXS throws away so much") as caught:
        made(source, out, "IQ2_XXS", "none")
    assert "matrix=shipped" in caught.value.hint and not list(tmp_path.iterdir())
    done = made(source, out, "IQ2_XXS", "data", Brought())
    assert done.variant == "IQ2_XXS" and done.beside == (MATRIX,)
    assert "IQ2_XXS" in check(out).mix
    kept = read_matrix(tmp_path / MATRIX)
    tokens = kept.chunks * kept.length
    assert done.step.options["tokens"] == tokens and done.step.options["type"] == "IQ2_XXS"
    assert f"saw {tokens:,} tokens" in done.step.notes[-1]
    told = check(out).metadata
    assert told["quantize.imatrix.dataset"] == "my text" == kept.text
    assert told["quantize.imatrix.chunks_count"] == kept.chunks
    assert told["quantize.imatrix.entries_count"] == 7


def test_the_file_beside_is_the_matrix_that_was_used(source: Artifact, tmp_path: Path) -> None:
    """Quantizing with what was read back gives the same weights; without, others."""
    out, again, plain = (tmp_path / f"{name}.gguf" for name in ("out", "again", "plain"))
    done = made(source, out, "Q4_K_M", "data", Brought())
    assert done.variant == "Q4_K_M with matrix"
    quantize(source.path, again, QUANTIZATIONS["Q4_K_M"], 1, read_matrix(tmp_path / MATRIX))
    quantize(source.path, plain, QUANTIZATIONS["Q4_K_M"], 1)
    assert weights(out) == weights(again) != weights(plain)


def test_each_type_is_as_it_says_about_matrices(source: Artifact, tmp_path: Path) -> None:
    """All that the quantizer offers: what needs a matrix, what rounds otherwise, what does not."""
    chance = np.random.default_rng(0)
    wild = {
        name: Importance(chance.exponential(size=(1, shape[-1])).astype(np.float32), np.ones(1))
        for name, shape in llama_shapes(WIDTH).items()
        if name.startswith("blk.") and len(shape) == 2
    }
    matrix = ImportanceMatrix(wild, "wild", 1, 1)
    with_it, plain = tmp_path / "with.gguf", tmp_path / "plain.gguf"
    rounds_otherwise = set()
    for name, item in QUANTIZATIONS.items():
        assert quantize(source.path, with_it, item, 1, matrix)[0].startswith("Tensors by type:")
        if item.needs_matrix:
            with pytest.raises(InvalidModel, match="imatrix"):
                quantize(source.path, plain, item, 1)
            assert not plain.exists()
        else:
            quantize(source.path, plain, item, 1)
            assert check(plain).number("general.file_type") == item.number
            if weights(with_it) != weights(plain):
                rounds_otherwise.add(name)
    without = {name for name, item in QUANTIZATIONS.items() if not item.needs_matrix}
    assert rounds_otherwise == {name for name in without if QUANTIZATIONS[name].weighs}


def test_a_type_that_rounds_alike_says_so(source: Artifact, tmp_path: Path) -> None:
    done = made(source, tmp_path / "a.gguf", "Q8_0", "data", Brought())
    assert (done.variant, done.beside) == ("Q8_0", ())
    assert any("Q8_0 rounds alike" in note for note in done.step.notes)


def test_without_a_text_it_says_what_to_do(source: Artifact, tmp_path: Path) -> None:
    for given in (None, Brought(())):
        with pytest.raises(BadRequest, match="no text was given") as caught:
            made(source, tmp_path / "a.gguf", "IQ2_XS", "data", given)
        assert "matrix=shipped" in caught.value.hint
    assert not list(DrawnSamples(Signature(())).texts()), "random samples are no text"


def test_what_judges_does_not_tune(source: Artifact, tmp_path: Path) -> None:
    judging = texts.held_out()
    with pytest.raises(BadRequest, match="judged on"):
        made(source, tmp_path / "a.gguf", "Q2_K", "data", Brought((judging,)))
    mixed = Brought((TEXT, judging))
    done = made(source, tmp_path / "b.gguf", "Q2_K", "data", mixed)
    (note,) = (note for note in done.step.notes if "left out of the importance matrix" in note)
    assert f"{len(judging):,} characters" in note
    alone = made(source, tmp_path / "c.gguf", "Q2_K", "data", Brought())
    assert done.step.options["text sha256"] == alone.step.options["text sha256"]


def test_the_task_tells_the_chunks_and_keeps_the_matrix_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the eager model, on the text Assay ships; the artifact is still the one file."""
    start = texts.shipped()[:2000]
    monkeypatch.setattr(texts, "shipped", lambda: start)
    eager = models.language_model(tmp_path / "torch", num_hidden_layers=1)
    task = models.task_folder(tmp_path / "task")
    request = {
        "artifact": dump(eager),
        "target": "gguf",
        "options": {"type": "Q4_0", "matrix": "shipped"},
        "change": None,
        "data": None,
    }
    result = convert.run(request, task)
    assert result["path"] == "gguf/model.gguf"
    assert result["variant"] == "Q4_0 with matrix"
    assert result["step"]["options"]["importance matrix"] == "Assay's own text"
    assert {item.name for item in (task.out / "gguf").iterdir()} >= {"model.gguf", MATRIX}
    kept = read_matrix(task.out / "gguf" / MATRIX)
    chunks = [said for said, _ in task.said if said.startswith("Importance matrix: chunk")]
    assert len(chunks) == kept.chunks > 10


def test_a_matrix_makes_answers_differ_less(tmp_path: Path) -> None:
    """Where what goes in is uneven: one column in eight is a hundred times as large."""
    path = write_llama(tmp_path / "a.gguf", width=WIDTH)
    uneven = np.ones(WIDTH, np.float32)
    uneven[::8] = 100
    header = check(path)
    with path.open("r+b") as file:
        for tensor in header.tensors:
            if tensor.name.endswith(("attn_norm.weight", "ffn_norm.weight")):
                file.seek(header.end + tensor.offset)
                file.write(uneven.tobytes())
    read = registry.format_named("gguf").read_signature
    assert read is not None
    signature = read(path)
    whole = models.artifact("gguf", path, signature)
    matrix = compute(path, [TEXT], len(TEXT), "a text", 1, lambda *_: None)
    tokens = {"input_ids": np.arange(260, 300)[None]}
    expected = models.infer(whole, tokens)["logits"]
    errors = []
    for given in (None, matrix):
        quantize(path, tmp_path / "q.gguf", QUANTIZATIONS["Q2_K"], 1, given)
        found = models.infer(models.artifact("gguf", tmp_path / "q.gguf", signature), tokens)
        errors.append(float(np.linalg.norm(found["logits"] - expected)))
    assert errors[1] < 0.9 * errors[0]


def test_the_choice_comes_before_the_types_that_need_it() -> None:
    matrix, types = choices(registry.format_named("gguf").options)
    assert (matrix.name, matrix.default) == ("matrix", "none")
    (group,) = (group for group in types.groups if group.needs)
    assert group.needs == "matrix" and "IQ1_S" in group.values
