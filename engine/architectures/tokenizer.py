"""The tokenizer that lies in a language model's folder: text in, tokens out. Runs no code of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engine.errors import InvalidModel
from engine.lazy import require


def tokenize(folder: Path, text: str) -> list[int] | None:
    """The tokens of a text with the model's begin token, if it has one; None without a tokenizer.

    Reads ``tokenizer.json``, ``tokenizer.model`` (SentencePiece), or ``vocab.json`` with
    ``merges.txt``. Raises InvalidModel.
    """
    try:
        return _tokens(folder, text)
    except Exception as error:  # tokenizers raises bare Exceptions
        raise InvalidModel(
            f"The tokenizer beside this model cannot be used: {error}",
            hint="Bring the folder again with the tokenizer files that belong to the model.",
        ) from error


def _tokens(folder: Path, text: str) -> list[int] | None:
    if (folder / "tokenizer.json").is_file():
        tokenizer = require("tokenizers").Tokenizer.from_file(str(folder / "tokenizer.json"))
        return list(tokenizer.encode(text).ids)
    if (folder / "tokenizer.model").is_file():
        model = (folder / "tokenizer.model").read_bytes()
        processor = require("sentencepiece").SentencePieceProcessor(model_proto=model)
        return [*_begin(folder, processor), *processor.encode(text)]
    if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        kind = require("tokenizers").ByteLevelBPETokenizer
        made = kind.from_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
        return list(made.encode(text).ids)
    return None


def _begin(folder: Path, processor: Any) -> list[int]:
    """Llama's tokenizer begins every text with a mark, unless its settings say otherwise."""
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    wanted = settings.get("add_bos_token", True) and processor.bos_id() >= 0
    return [processor.bos_id()] if wanted else []
