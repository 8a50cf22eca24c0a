"""Text for language models: .txt or .jsonl, in pieces, and as the model's own tokens."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from engine import registry
from engine.data.model import PARTS, Part
from engine.data.source import Sample, Source
from engine.errors import BadRequest
from engine.types import Artifact, RunnerOptions
from engine.verify import language
from engine.verify.cases import THREADS

LARGEST = 64 << 20
"""Bytes of text that are read; more adds nothing to a calibration."""
_PIECE = 2000
_LEAST = 32
"""Tokens that each part must have, at least."""
OWN = "Assay's own text"


def own_pieces() -> list[str]:
    """The text that comes with Assay; the one that verification reads is another."""
    from engine.samples.tokenizer import text

    return _pieces(text())


def from_file(path: Path, name: str, model: Artifact) -> Source:
    """A text file, or one JSON value a line (a text, or an object with ``text``)."""
    size = path.stat().st_size
    if size > LARGEST:
        raise BadRequest(
            f"{name} has {size:,} bytes; up to {LARGEST:,} of text are read.",
            hint="Bring a part of it: a few hundred kilobytes calibrate as well.",
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest(f"{name} is not UTF-8 text.", hint="Save it as UTF-8.") from error
    pieces = _lines(text, name) if name.lower().endswith(".jsonl") else _pieces(text)
    return source(pieces, name, model)


def source(pieces: Sequence[str], name: str, model: Artifact) -> Source:
    """Pieces of text, each in one part by its hash, and read as windows of the model's tokens."""
    distinct = list(dict.fromkeys(piece.strip() for piece in pieces if piece.strip()))
    half = set(sorted(distinct, key=_digest)[: len(distinct) // 2])
    texts = tuple((piece, PARTS[0] if piece in half else PARTS[1]) for piece in distinct)
    if len(distinct) < 2:
        raise BadRequest(
            f"{name} holds {len(distinct)} piece of text.",
            hint="Bring several paragraphs: half of them calibrate, the other half judge.",
        )
    samples = _windows(texts, name, model)
    left_out = sum(bool(piece.strip()) for piece in pieces) - len(distinct)
    said = f"{left_out:,} pieces of text were there before and are left out."
    notes = (said,) if left_out else ()
    return Source("text", name, iter(samples), len(samples), notes=notes, texts=texts)


def _windows(texts: Sequence[tuple[str, Part]], name: str, model: Artifact) -> list[Sample]:
    """What the model is fed with: windows of equal length, every one a text of its own."""
    if not language.is_language_model(model.signature):
        raise BadRequest(
            "The model is no language model, so a text is nothing it could read.",
            hint="Bring arrays, pictures or a table.",
        )
    joined = {part: "\n\n".join(text for text, its in texts if its == part) for part in PARTS}
    begin, bodies, context = _tokens(joined, model)
    for body in bodies.values():
        if len(body) < _LEAST:
            raise BadRequest(
                f"Half of {name} is {len(body)} tokens; at least {_LEAST} are needed.",
                hint="Bring a longer text.",
            )
    size = min(language.WINDOW, context) - len(begin)
    size = max(2, min(size, *map(len, bodies.values())))
    input_name = model.signature.inputs[0].name
    return [
        Sample(
            {input_name: np.array([*begin, *body[at : at + size]], np.int64)},
            f"window {at // size + 1} to {'calibrate' if part == PARTS[0] else 'judge'}",
            part=part,
        )
        for part, body in bodies.items()
        for at in range(0, len(body) - size + 1, size)
    ]


def _tokens(
    joined: Mapping[Part, str], model: Artifact
) -> tuple[list[int], dict[Part, list[int]], int]:
    """(what every text begins with, the tokens of each part, how many the model sees at once)."""
    with ExitStack() as held:
        runner = None  # a folder's tokenizer needs no loaded model
        if model.format != "torch":
            runner = held.enter_context(registry.open_runner(model, RunnerOptions(THREADS)))
        begin = language.read_tokens(model, runner, "")
        found = {part: language.read_tokens(model, runner, text) for part, text in joined.items()}
        context = language.context_of(model, runner)
    bodies = {
        part: tokens[len(begin or ()) :] for part, tokens in found.items() if tokens is not None
    }
    if begin is None or len(bodies) < len(PARTS):
        raise BadRequest(
            "The model has no tokenizer here that can read a text.",
            hint="Bring token ids as an array (.npy), or the model with its tokenizer.",
        )
    return begin, bodies, context


def _pieces(text: str) -> list[str]:
    """Paragraphs, long ones cut where a word ends."""
    found = []
    for paragraph in re.split(r"\n\s*\n", text):
        rest = paragraph.strip()
        while len(rest) > _PIECE:
            cut = rest.rfind(" ", 0, _PIECE)
            cut = cut if cut > 0 else _PIECE
            found.append(rest[:cut])
            rest = rest[cut:].strip()
        found.append(rest)
    return found


def _lines(text: str, name: str) -> list[str]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise BadRequest(
                f"Line {number} of {name} is not JSON.", hint='Write {"text": "…"} on every line.'
            ) from error
        value = value.get("text") if isinstance(value, dict) else value
        if not isinstance(value, str):
            raise BadRequest(
                f"Line {number} of {name} has no text.", hint='Write {"text": "…"} on every line.'
            )
        found += _pieces(value)
    return found


def _digest(piece: str) -> str:
    return hashlib.sha256(piece.encode()).hexdigest()
