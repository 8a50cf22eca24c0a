"""A GGUF file described: what a person sees of it, and what goes in and out of it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from engine.errors import UnsupportedModel
from engine.formats.gguf.file import Array, Header, check_tokens, read, refuse_unfit
from engine.formats.gguf.quantizations import BY_NUMBER
from engine.types import Dim, Signature, TensorSpec

_LAYER = re.compile(r"^(?:blk|enc\.blk|dec\.blk)\.\d+\.")
_ELSEWHERE = ("clip", "t5", "t5encoder", "wavtokenizer-dec", "pockettts")
"""Architectures that read pictures or sound, or need a second text: no next-token models."""
_SHOWN = {
    "general.name": "Name",
    "general.license": "License",
    "general.finetune": "Fine-tuned for",
    "tokenizer.ggml.model": "Tokenizer",
    "tokenizer.ggml.pre": "Tokenizer splits text as",
}
_SIZES = {
    "context_length": "Context length",
    "block_count": "Layers",
    "embedding_length": "Width",
    "feed_forward_length": "Feed-forward width",
    "attention.head_count": "Attention heads",
    "attention.head_count_kv": "Key and value heads",
    "expert_count": "Experts",
    "expert_used_count": "Experts used for a token",
}


def describe(path: Path) -> tuple[int | None, dict[str, int], dict[str, str]]:
    """Parameters, tensors by what they do in a layer, and the facts the file states."""
    header = read(path)
    roles = Counter(_role(tensor.name) for tensor in header.tensors)
    parameters = sum(tensor.weights for tensor in header.tensors)
    return parameters, dict(roles.most_common()), _facts(header, parameters)


def graph_bytes(path: Path) -> int:
    """Everything but the weights."""
    return read(path).end


def tensor_bytes(path: Path) -> int:
    """Bytes of the weights as they are stored."""
    return sum(tensor.nbytes for tensor in read(path).tensors)


def cache_bytes(header: Header, tokens: int, value_bytes: int) -> int | None:
    """Keys and values of so many tokens: of each layer, key and value heads times their length.

    None where the header does not say it, or says it layer by layer.
    """
    layers, heads = header.own("block_count"), header.own("attention.head_count")
    width = header.own("embedding_length")
    kept = f"{header.architecture}.attention.head_count_kv"
    if not layers or not heads or not width or isinstance(header.metadata.get(kept), Array):
        return None
    keys = header.own("attention.key_length") or width // heads
    values = header.own("attention.value_length") or width // heads
    return layers * (header.number(kept) or heads) * (keys + values) * tokens * value_bytes


def read_signature(path: Path) -> Signature:
    """Token rows in, the scores of every next token out.

    Raises UnsupportedModel for a model that answers something else, InvalidModel where its tokens
    are no vocabulary.
    """
    header = read(path)
    kind = header.text("general.type") or "model"
    own = header.architecture
    causal = header.metadata.get(f"{own}.attention.causal", True)
    pooled = header.own("pooling_type") or 0
    if kind != "model" or own in _ELSEWHERE or not causal or pooled:
        other = f"is of the kind {kind!r}"
        what = other if kind != "model" else f"holds an embedding or encoder model ({own})"
        raise UnsupportedModel(
            f"This GGUF file {what}; Assay runs models that say the next token.",
            hint="Bring a text-generating model.",
        )
    refuse_unfit(header)
    if not header.vocabulary:
        raise UnsupportedModel(
            "This GGUF file carries no vocabulary, so its tokens cannot be told.",
            hint="Convert the model again, with its tokenizer's files beside it.",
        )
    check_tokens(path, header)
    return signature_of(header.vocabulary)


def signature_of(vocabulary: int, rows: Dim = "batch", length: Dim = "sequence") -> Signature:
    """The signature of every next-token model."""
    tokens = TensorSpec("input_ids", "int64", (rows, length), low=0, high=vocabulary)
    logits = TensorSpec("logits", "float32", (rows, length, vocabulary))
    return Signature((tokens,), (logits,))


def read_variant(path: Path) -> str:
    """The type the file says it is of: ``"Q4_K_M"``."""
    return variant_of(read(path))


def variant_of(header: Header) -> str:
    """The name of the file's type; where it states none, of what holds most weights."""
    number = header.number("general.file_type")
    if number is not None and number in BY_NUMBER:
        return BY_NUMBER[number].name
    return next(iter(header.mix), "")


def _facts(header: Header, parameters: int) -> dict[str, str]:
    facts = {"Architecture": header.architecture or "none named", "Type": variant_of(header)}
    facts |= {label: text for key, label in _SHOWN.items() if (text := header.text(key))}
    sizes = {label: header.own(key) for key, label in _SIZES.items()}
    facts |= {label: f"{size:,}" for label, size in sizes.items() if size is not None}
    if header.vocabulary:
        facts["Vocabulary"] = f"{header.vocabulary:,} tokens"
    facts["Tensors"] = f"{len(header.tensors):,}"
    facts["Quantization mix"] = _mix(header, parameters)
    stored = sum(tensor.nbytes for tensor in header.tensors)
    if parameters:
        facts["Bits per weight"] = f"{8 * stored / parameters:.2f}"
    if header.tensors:
        largest = max(header.tensors, key=lambda tensor: tensor.nbytes)
        size = f"{largest.nbytes / 1e6:.2f} MB"
        facts["Largest tensor"] = f"{largest.name} {list(largest.shape)}, {size}"
    facts["Chat template"] = "yes" if header.text("tokenizer.chat_template") else "no"
    facts["Metadata"] = f"{len(header.metadata):,} entries"
    lists = sum(isinstance(value, Array) for value in header.metadata.values())
    facts["GGUF version"] = f"{header.version}, {lists} lists in its metadata"
    return facts


def _mix(header: Header, parameters: int) -> str:
    """``Q4_K: 84 tensors, 91.2 % of the weights; …``"""
    return "; ".join(
        f"{name}: {count:,} tensors, {100 * weights / max(1, parameters):.1f} % of the weights"
        for name, (count, weights) in header.mix.items()
    )


def _role(name: str) -> str:
    """What a tensor does, without its layer: ``attn_q``."""
    return _LAYER.sub("", name).removesuffix(".weight")
