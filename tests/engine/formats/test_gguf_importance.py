"""Importance matrices: what they hold, the file they are kept in, and what they make possible."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import registry
from engine.errors import BadRequest, InvalidModel
from engine.formats.gguf import converter
from engine.formats.gguf.file import read
from engine.formats.gguf.importance import CHUNK, _chunks, _pieces, compute
from engine.formats.gguf.matrix import ImportanceMatrix, read_matrix, write_matrix
from engine.types import Artifact
from tests import models
from tests.gguf_files import write_experts, write_llama

TEXT = "the cat sat on the mat and the dog ran after the cat. " * 12


@pytest.fixture(scope="module")
def eager(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return models.language_model(tmp_path_factory.mktemp("eager") / "torch")


@pytest.fixture(scope="module")
def whole(eager: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in F32."""
    return models.converted(eager, "gguf", tmp_path_factory.mktemp("whole")).path


def quiet(*_: Any) -> None:
    """Nobody listens."""


def computed(model: Path, *texts: str) -> ImportanceMatrix:
    return compute(model, texts, sum(map(len, texts)), "a text", 1, quiet)


@pytest.fixture(scope="module")
def matrix(whole: Path) -> ImportanceMatrix:
    return computed(whole, TEXT)


def squares(eager: Artifact, chunks: list[list[int]]) -> dict[str, np.ndarray]:
    """What goes into every Linear of the original, squared and added up by numpy."""
    import torch

    module, found = registry.load(eager), dict[str, np.ndarray]()

    def keep(name: str) -> Any:
        def hook(_: Any, given: tuple[Any, ...]) -> None:
            rows = given[0].detach().numpy().astype(np.float64).reshape(-1, given[0].shape[-1])
            found[name] = found.get(name, 0) + (rows**2).sum(0)

        return hook

    for name, part in module.named_modules():
        if isinstance(part, torch.nn.Linear) and ".layers." in f".{name}":
            part.register_forward_pre_hook(keep(name))
    with torch.no_grad():
        for chunk in chunks:
            module(torch.tensor([chunk]))
    return found


NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def test_it_is_the_squares_of_what_goes_into_every_weight(
    eager: Artifact, matrix: ImportanceMatrix
) -> None:
    import sentencepiece

    tokens = sentencepiece.SentencePieceProcessor(model_proto=models.sentencepiece_model()).encode(
        TEXT
    )
    chunks = [[1, *tokens[start : start + 63]] for start in range(0, len(tokens) - 62, 63)]
    assert (matrix.chunks, matrix.length) == (len(chunks), 64)
    expected = squares(eager, chunks)
    assert len(expected) == len(matrix.weights) == 2 * len(NAMES)
    for theirs, ours in NAMES.items():
        for layer in range(2):
            found = matrix.weights[f"blk.{layer}.{ours}.weight"]
            (wanted,) = (v for k, v in expected.items() if k.endswith(f"{layer}.{theirs}"))
            np.testing.assert_allclose(found.sums[0], wanted, rtol=1e-3, atol=1e-6)
            assert found.counts.tolist() == [64 * len(chunks)]
            np.testing.assert_allclose(found.means, wanted / (64 * len(chunks)), rtol=1e-3)


def test_the_same_text_gives_the_same_file(
    whole: Path, matrix: ImportanceMatrix, tmp_path: Path
) -> None:
    write_matrix(matrix, tmp_path / "a.gguf")
    write_matrix(computed(whole, TEXT), tmp_path / "b.gguf")
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()


def test_experts_count_the_tokens_that_were_sent_to_them(tmp_path: Path) -> None:
    """Each token goes to 2 of 4: together the experts saw twice what their gate saw."""
    found = computed(write_experts(tmp_path / "experts.gguf"), "w1 w2 w3 w55 w7 " * 40).weights
    gate, experts = found["blk.0.ffn_gate_inp.weight"], found["blk.0.ffn_up_exps.weight"]
    assert experts.counts.shape == (4,) and len(set(experts.counts.tolist())) > 1
    assert experts.counts.sum() == 2 * gate.counts[0]
    np.testing.assert_allclose(experts.sums.sum(0), 2 * gate.sums[0], rtol=1e-4)
    down = found["blk.0.ffn_down_exps.weight"]
    assert down.counts.tolist() == experts.counts.tolist() and down.sums.shape[1] == 64


def test_an_expert_no_token_was_sent_to_weighs_all_alike(matrix: ImportanceMatrix) -> None:
    unseen = replace(next(iter(matrix.weights.values())), counts=np.zeros(1, np.int64))
    assert set(unseen.means.tolist()) == {1.0}


def test_it_is_read_back_as_it_was_written(matrix: ImportanceMatrix, tmp_path: Path) -> None:
    path = tmp_path / "imatrix.gguf"
    write_matrix(matrix, path)
    found = read_matrix(path)
    assert (found.text, found.chunks, found.length) == ("a text", matrix.chunks, 64)
    assert found.weights.keys() == matrix.weights.keys()
    for name, own in matrix.weights.items():
        np.testing.assert_array_equal(found.weights[name].sums, own.sums)
        np.testing.assert_array_equal(found.weights[name].counts, own.counts)


def test_llama_cpp_s_own_package_reads_the_file(matrix: ImportanceMatrix, tmp_path: Path) -> None:
    path = tmp_path / "imatrix.gguf"
    write_matrix(matrix, path)
    code = (
        f"import sys; sys.path.insert(0, {str(converter.HOME / 'gguf-py')!r})\n"
        f"from gguf import GGUFReader; r = GGUFReader({str(path)!r})\n"
        "print(r.fields['general.type'].contents(), r.fields['imatrix.datasets'].contents(),\n"
        "      r.fields['imatrix.chunk_size'].contents(), len(r.tensors))\n"
        "t = {t.name: t for t in r.tensors}\n"
        "print(float(t['blk.1.ffn_down.weight.in_sum2'].data.sum()))\n"
        "print(t['blk.1.ffn_down.weight.counts'].shape.tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said, total, shape = done.stdout.splitlines()
    assert said == f"imatrix ['a text'] 64 {2 * len(matrix.weights)}"
    assert float(total) == pytest.approx(float(matrix.weights["blk.1.ffn_down.weight"].sums.sum()))
    assert shape == "[1, 1]"


def test_a_file_that_is_no_whole_matrix_is_refused(
    matrix: ImportanceMatrix, tmp_path: Path
) -> None:
    with pytest.raises(InvalidModel, match="holds something else"):
        read_matrix(write_llama(tmp_path / "a.gguf"))
    path = tmp_path / "imatrix.gguf"
    write_matrix(matrix, path)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"attn_k.weight.counts", b"attn_k.weight.counds", 1))
    with pytest.raises(InvalidModel, match=r"counts of 'blk\.0\.attn_k\.weight' are missing"):
        read_matrix(path)


class Speller:
    """A tokenizer of a token for every sign."""

    def tokenize(self, text: str, *, special: bool = True) -> list[int]:
        assert not special
        return [ord(sign) for sign in text]


def chunks(*texts: str, room: int) -> Iterator[tuple[str, float]]:
    for tokens, place in _chunks(Speller(), texts, room):
        yield "".join(map(chr, tokens)), place


def test_texts_are_read_in_chunks_one_after_the_other() -> None:
    found = list(chunks("abcde", "fghij", "kl", room=4))
    assert [text for text, _ in found] == ["abcd", "efgh", "ijkl"]
    assert [read for _, read in found] == [0, pytest.approx(5, abs=1), pytest.approx(8, abs=2)]
    assert list(chunks("ab" * 20, room=100)) == [("ab" * 20, 0)], "all there is, though no chunk"
    assert not list(chunks("ab", room=100))


def test_long_texts_are_cut_between_words() -> None:
    text = "word " * 40_000
    pieces = list(_pieces([text]))
    assert "".join(pieces) == text and len(pieces) > 2
    assert all(len(piece) <= 1 << 16 and piece.startswith((" ", "word")) for piece in pieces)
    assert "".join(_pieces(["x" * 200_000])) == "x" * 200_000


def test_too_little_text_is_said(whole: Path) -> None:
    with pytest.raises(BadRequest, match="fewer than 16 tokens") as caught:
        computed(whole, "the cat")
    assert str(CHUNK) in caught.value.hint


def test_progress_is_told_chunk_by_chunk(whole: Path) -> None:
    said: list[tuple[str, float]] = []
    found = compute(whole, [TEXT], len(TEXT), "a text", 1, lambda *told: said.append(told))
    assert len(said) == found.chunks > 3
    assert said[0][0] == "Importance matrix: chunk 1, 0% of the text"
    fractions = [fraction for _, fraction in said]
    assert fractions == sorted(fractions) and 0.5 < fractions[-1] < 1


def test_a_damaged_weight_is_named(tmp_path: Path) -> None:
    path = write_llama(tmp_path / "a.gguf")
    header = read(path)
    (norm,) = (t for t in header.tensors if t.name == "blk.0.attn_norm.weight")
    with path.open("r+b") as file:
        file.seek(header.end + norm.offset)
        file.write(np.float32("nan").tobytes())
    with pytest.raises(InvalidModel, match=r"blk\.0\.attn_.\.weight is not finite"):
        computed(path, "w1 w2 w3 " * 60)
