"""A SentencePiece tokenizer made from the sample text when it is needed: the same each time."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path

from engine.files import disk_errors
from engine.lazy import require
from engine.texts import shipped

SIZE = 2048
"""Pieces: as many as this little text can fill with ones it really uses."""
BEGIN, END = 1, 2
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
_CONFIG = {
    "tokenizer_class": "LlamaTokenizer",
    "unk_token": "<unk>",
    "bos_token": "<s>",
    "eos_token": "</s>",
    "add_bos_token": True,
    "add_eos_token": False,
    "clean_up_tokenization_spaces": False,
}


def text() -> str:
    """The text the sample language models know: our own."""
    return shipped()


@cache
def train() -> bytes:
    """The ``tokenizer.model``: byte-pair pieces of the sample text, with bytes to fall back on."""
    trainer = require("sentencepiece").SentencePieceTrainer
    made = io.BytesIO()
    trainer.train(
        sentence_iterator=iter([line for line in text().splitlines() if line]),
        model_writer=made,
        model_type="bpe",
        vocab_size=SIZE,
        byte_fallback=True,
        character_coverage=1.0,
        # llama.cpp reads every sign as it is: what is normalized here would be other tokens there.
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        max_sentence_length=1 << 16,
        num_threads=1,  # with more, the order of equal pairs would be chance
        minloglevel=2,
    )
    return made.getvalue()


def encode(words: str) -> list[int]:
    """The tokens of a text, the begin token first."""
    processor = require("sentencepiece").SentencePieceProcessor(model_proto=train())
    return [BEGIN, *processor.encode(words)]


def pieces() -> list[tuple[str, float, int]]:
    """Every token as (piece, score, kind), the kinds numbered as llama.cpp does."""
    known = require("sentencepiece").SentencePieceProcessor(model_proto=train())

    def kind(token: int) -> int:
        if known.is_unknown(token):
            return UNKNOWN
        if known.is_control(token):
            return CONTROL
        return BYTE if known.is_byte(token) else NORMAL

    tokens = range(known.get_piece_size())
    return [(known.id_to_piece(token), known.get_score(token), kind(token)) for token in tokens]


def write(folder: Path, context: int) -> None:
    """The tokenizer's files, as a Hugging Face folder has them."""
    with disk_errors():
        (folder / "tokenizer.model").write_bytes(train())
        settings = json.dumps({**_CONFIG, "model_max_length": context}, indent=2)
        (folder / "tokenizer_config.json").write_text(settings, encoding="utf-8")
