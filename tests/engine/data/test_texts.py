"""Text: pieces in two parts, and windows of the model's own tokens."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from engine.data.builtin import builtins, source_of
from engine.data.opening import open_file
from engine.data.prepare import prepare
from engine.data.stored import StoredSamples
from engine.data.texts import own_pieces
from engine.errors import BadRequest
from engine.types import Artifact
from engine.verify.language import held_out
from tests import models
from tests.engine.data.made import PICTURES, model

PARAGRAPHS = [f"The cat number {at} sat on the mat and the dog ran after it." for at in range(40)]


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return models.language_model(tmp_path_factory.mktemp("writer") / "model")


def brought(file: Path, to: Artifact, out: Path) -> StoredSamples:
    with ExitStack() as held:
        source = open_file(file, file.name, to, {}, held)
        made = prepare(source, to.signature, out, lambda *_: None)
    return StoredSamples(out, "calibration", to.signature, made.inputs, made.name)


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_a_text_is_read_by_the_models_own_tokenizer(
    name: str, writer: Artifact, tmp_path: Path
) -> None:
    lines = [json.dumps({"text": piece}) for piece in PARAGRAPHS]
    text = "\n".join(lines) if name.endswith("l") else "\n\n".join(PARAGRAPHS)
    (tmp_path / name).write_text(text)
    samples = brought(tmp_path / name, writer, tmp_path / "out")
    pieces = list(samples.texts())
    assert len(pieces) == 20
    assert set(pieces) < set(PARAGRAPHS)
    feeds = list(samples.feeds())
    assert len(feeds) == samples.count > 1
    (tokens,) = feeds[0].values()
    assert tokens.dtype == np.int64
    assert tokens.shape[1] <= models.LLAMA["max_position_embeddings"]
    models.infer(writer, feeds[0])


def test_no_piece_is_in_both_parts(writer: Artifact, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n\n".join([*PARAGRAPHS, *PARAGRAPHS[:3]]))
    one = brought(tmp_path / "a.txt", writer, tmp_path / "out")
    other = StoredSamples(one.path, "evaluation", one.signature, one.inputs, one.name)
    assert not set(one.texts()) & set(other.texts())
    assert len([*one.texts(), *other.texts()]) == len(PARAGRAPHS)


def test_our_own_text_is_offered_to_language_models_and_is_not_the_one_that_verifies(
    writer: Artifact, tmp_path: Path
) -> None:
    assert [one.name for one in builtins(writer.signature)] == ["text"]
    made = prepare(source_of("text", writer), writer.signature, tmp_path / "out", lambda *_: None)
    assert made.name == "text"
    pieces = own_pieces()
    assert pieces
    assert not [piece for piece in pieces if len(piece) > 80 and piece in held_out()]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.txt", "one piece", "holds 1 piece"),
        ("a.txt", "short\n\nand short", "at least 32 are needed"),
        ("a.jsonl", '{"text": "a"}\n{"words": 1}', "Line 2 of a.jsonl has no text"),
        ("a.jsonl", "{", "Line 1 of a.jsonl is not JSON"),
        ("a.txt", b"\xff\xfe\x00", "not UTF-8"),
    ],
)
def test_what_cannot_be_read_is_said(
    name: str, text: str | bytes, said: str, writer: Artifact, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadRequest, match=said):
        brought(tmp_path / name, writer, tmp_path / "out")


def test_a_text_is_nothing_for_other_models(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n\n".join(PARAGRAPHS))
    with pytest.raises(BadRequest, match="no language model"):
        brought(tmp_path / "a.txt", model(PICTURES), tmp_path / "out")
