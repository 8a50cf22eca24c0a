"""Language models on a text they have not seen: how far the chances of the next word move.

The original's logits are kept beside the other cases (``language.npz``); every candidate reads the
same tokens. Numpy only, but for the original's own tokenizer.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engine.architectures import folder, tokenizer
from engine.errors import EngineError, UnsupportedModel
from engine.files import disk_errors
from engine.texts import held_out
from engine.types import Artifact, Feed, Runner, Signature
from engine.verify.groups import by_groups, share_by_groups
from engine.verify.model import LanguageComparison, Window

LOGITS = "language.npz"
WINDOW = 256
"""Tokens read at once; every window begins as a text of its own."""
ENOUGH_S = 60.0
"""After that long no further window is begun, so that large models come to an end."""
_MOST_BYTES = 256 << 20
_ROWS = 32
_CONTEXTS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")

# Logits may be infinite or NaN: such a figure is given as None.
_QUIET = np.errstate(over="ignore", invalid="ignore", divide="ignore")

Infer = Callable[[Feed], Mapping[str, np.ndarray]]


def text_hash() -> str:
    """The sha256 of the held-out text."""
    return hashlib.sha256(held_out().encode()).hexdigest()


def windows(artifact: Artifact, runner: Runner) -> tuple[np.ndarray, ...]:
    """The held-out text as the original reads it, int64 [1, length] each.

    Empty for what is no language model, or has no tokenizer to read a text with.
    """
    if not is_language_model(artifact.signature):
        return ()
    tokens, begin = read_tokens(artifact, runner, held_out()), read_tokens(artifact, runner, "")
    if not tokens or begin is None:
        return ()
    body = tokens[len(begin) :]
    room = min(WINDOW, context_of(artifact, runner)) - len(begin)
    most = most_windows(artifact.signature, room)
    parts = (body[start : start + room] for start in range(0, len(body), max(1, room)))
    whole = [part for part in parts if len(part) == room and room > 1][:most]
    return tuple(np.array([[*begin, *part]], np.int64) for part in whole)


def save(out: Path, read: Iterable[np.ndarray], infer: Infer, signature: Signature) -> int:
    """Keep the original's logits for the windows; gives how many windows were read."""
    name = signature.inputs[0].name
    dtype = np.dtype(signature.inputs[0].dtype)
    arrays: dict[str, np.ndarray] = {}
    started, count = time.monotonic(), 0
    for tokens in read:
        if count and time.monotonic() - started > ENOUGH_S:
            break
        arrays[f"{count}.tokens"] = tokens
        arrays[f"{count}.logits"] = next(iter(infer({name: tokens.astype(dtype)}).values()))
        count += 1
    if count:
        with disk_errors():
            np.savez(out / LOGITS, **arrays)  # type: ignore[arg-type]  # its stub expects a flag
    return count


def compare(
    reference: Path, signature: Signature, infer: Infer, text: str | None = None
) -> LanguageComparison | None:
    """The candidate on the same windows; None where the original read no text.

    ``text`` is the sha256 of what they are from, where that is not the held-out text.
    """
    text = text or text_hash()
    if not (reference / LOGITS).is_file():
        return None
    found = _Sums()
    name, dtype = signature.inputs[0].name, np.dtype(signature.inputs[0].dtype)
    for tokens, wanted in _kept(reference):
        try:
            logits = next(iter(infer({name: tokens.astype(dtype)}).values()))
        except EngineError as error:
            return LanguageComparison(text, 0, error=error.message)
        if logits.shape != wanted.shape:
            shapes = f"its logits are {list(logits.shape)}, the original's {list(wanted.shape)}"
            return LanguageComparison(text, 0, error=shapes)
        found.add(tokens[0], wanted[0], logits[0])
    return found.comparison(text)


def _kept(reference: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    with np.load(reference / LOGITS, allow_pickle=False) as arrays:
        for index in range(len(arrays.files) // 2):
            yield arrays[f"{index}.tokens"], arrays[f"{index}.logits"]


@dataclass(slots=True)
class _Sums:
    """What adds up over the places of a text, in nats."""

    divergence: list[np.ndarray] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)

    @_QUIET
    def add(self, tokens: np.ndarray, wanted: np.ndarray, logits: np.ndarray) -> None:
        """One window: logits [length, vocabulary]; the last place has no next word to judge by."""
        places, agree, before, after = len(tokens) - 1, 0, 0.0, 0.0
        for start in range(0, places, _ROWS):
            stop = min(start + _ROWS, places)
            following = tokens[start + 1 : stop + 1, None]
            ref, cand = _log_chances(wanted[start:stop]), _log_chances(logits[start:stop])
            chance = np.exp(ref)
            # A word that the original rules out adds nothing, whatever the candidate says.
            self.divergence.append(np.where(chance > 0, chance * (ref - cand), 0).sum(-1))
            before -= float(np.take_along_axis(ref, following, 1).sum())
            after -= float(np.take_along_axis(cand, following, 1).sum())
            agree += int((ref.argmax(-1) == cand.argmax(-1)).sum())
        self.windows.append(Window(places, agree, _number(before), _number(after)))

    @_QUIET
    def comparison(self, text: str) -> LanguageComparison:
        """The figures over all windows."""
        divergence = np.concatenate(self.divergence)
        sizes = [one.places for one in self.windows]
        agree = [one.agree for one in self.windows]
        several = len(sizes) > 1
        return LanguageComparison(
            text_sha256=text,
            places=len(divergence),
            kl_mean=_number(max(0.0, float(divergence.mean()))),
            kl_max=_number(max(0.0, float(divergence.max()))),
            top1_agree=sum(agree),
            top1_interval=share_by_groups(agree, sizes) if several else None,
            perplexity_reference=_perplexity([one.reference for one in self.windows], sizes),
            perplexity_candidate=_perplexity([one.candidate for one in self.windows], sizes),
            ratio_interval=_ratio_interval(self.windows),
            windows=tuple(self.windows),
        )


def _perplexity(nats: Sequence[float | None], sizes: Sequence[int]) -> float | None:
    known = [one for one in nats if one is not None]
    return _exp(sum(known) / sum(sizes)) if len(known) == len(nats) else None


def _ratio_interval(windows: Sequence[Window]) -> tuple[float, float] | None:
    """Of the mean change in nats, which the ratio is the exponential of."""
    changes = [
        one.candidate - one.reference
        for one in windows
        if one.candidate is not None and one.reference is not None
    ]
    if len(changes) < len(windows):
        return None
    found = by_groups(changes, [one.places for one in windows])
    return None if found is None else _interval(*map(_exp, found))


def _log_chances(logits: np.ndarray) -> np.ndarray:
    wide = logits.astype(np.float64)
    wide -= wide.max(-1, keepdims=True)
    return np.asarray(wide - np.log(np.exp(wide).sum(-1, keepdims=True)))


def is_language_model(signature: Signature) -> bool:
    """Whether it is: token ids [batch, sequence] in, a number for every token there is out."""
    if len(signature.inputs) != 1 or len(signature.outputs) != 1:
        return False
    tokens, logits = signature.inputs[0], signature.outputs[0]
    if len(tokens.shape) != 2 or len(logits.shape) != 3 or tokens.high is None:
        return False
    free = isinstance(tokens.shape[1], str) and (tokens.shape[0] == 1 or signature.batch_symbol)
    known = logits.shape[-1]
    whole = np.issubdtype(np.dtype(tokens.dtype), np.integer)
    return bool(whole and free and isinstance(known, int) and known >= tokens.high)


def read_tokens(artifact: Artifact, runner: Any, text: str) -> list[int] | None:
    """The tokens by the runner's own tokenizer, else by the one in the original's folder.

    None where there is none, or it cannot write every text.
    """
    if hasattr(runner, "tokenize"):
        try:
            return list(runner.tokenize(text))
        except UnsupportedModel:
            return None
    if artifact.format == "torch":
        return tokenizer.tokenize(artifact.path, text)
    return None


def context_of(artifact: Artifact, runner: Any) -> int:
    """How many tokens the model sees at once."""
    if hasattr(runner, "context_length"):
        return int(runner.context_length)
    if artifact.format == "torch":
        config = folder.read_spec(artifact.path).config
        found = (config.get(name) for name in _CONTEXTS)
        return next((size for size in found if isinstance(size, int)), WINDOW)
    return WINDOW


def most_windows(signature: Signature, room: int) -> int:
    """So many that the logits of all of them stay small on the disk; at least one."""
    words = signature.outputs[0].shape[-1]
    assert isinstance(words, int), "an output that is no language model's"
    return max(1, _MOST_BYTES // (4 * words * max(1, room)))


def _exp(value: float) -> float | None:
    return _number(math.exp(value)) if value < 700 else None


def _interval(low: float | None, high: float | None) -> tuple[float, float] | None:
    return None if low is None or high is None else (low, high)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
